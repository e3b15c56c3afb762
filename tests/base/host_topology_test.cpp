// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/host_topology.hpp>
#include <impl/system_files.hpp>
#include <impl/topology_sources.hpp>

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

namespace caesura {
namespace {

using Units = std::vector<int>;

/// A tree with the files in which Linux describes a machine; gone with the test.
class FakeSystem {
 public:
  FakeSystem() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    root_ = std::filesystem::temp_directory_path() / (std::string(test->name()) + std::to_string(getpid()));
    std::filesystem::create_directories(root_);
  }
  ~FakeSystem() { std::filesystem::remove_all(root_); }

  const std::filesystem::path& root() const { return root_; }
  void write(const std::string& file, const std::string& words) const {
    std::filesystem::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << words << "\n";
  }

  void cache(int unit, int index, const std::string& level, const std::string& type, const std::string& size,
             const std::string& sharers) const {
    const std::string folder =
        "sys/devices/system/cpu/cpu" + std::to_string(unit) + "/cache/index" + std::to_string(index) + "/";
    write(folder + "level", level);
    write(folder + "type", type);
    write(folder + "size", size);
    write(folder + "coherency_line_size", "64");
    write(folder + "shared_cpu_list", sharers);
  }

 private:
  std::filesystem::path root_;
};

/// Two packages with a NUMA node each, of two cores with two hardware threads each: core c has units c and c + 4.
void write_two_packages(const FakeSystem& system) {
  system.write("sys/devices/system/cpu/online", "0-7");
  system.write("sys/devices/system/node/online", "0-1");
  system.write("sys/devices/system/node/node0/cpulist", "0-1,4-5");
  system.write("sys/devices/system/node/node1/cpulist", "2-3,6-7");
  system.write("proc/cpuinfo", "processor\t: 0\nmodel name\t: Abacus 3\n");
  system.write("proc/meminfo", "MemFree: 1 kB\nMemTotal:       1024 kB");
  for (int unit = 0; unit < 8; ++unit) {
    const int core = unit % 4;
    const std::string folder = "sys/devices/system/cpu/cpu" + std::to_string(unit) + "/topology/";
    const std::string pair = std::to_string(core) + "," + std::to_string(core + 4);
    system.write(folder + "physical_package_id", std::to_string(core / 2 * 3));  // numbers with a gap
    system.write(folder + "thread_siblings_list", pair);
    system.cache(unit, 0, "1", "Data", "48K", pair);
    system.cache(unit, 1, "1", "Instruction", "32K", pair);
    system.cache(unit, 2, "2", "Unified", "2M", pair);
    system.cache(unit, 3, "3", "Unified", "30720K", core < 2 ? "0-1,4-5" : "2-3,6-7");
  }
}

TEST(SystemFiles, ListsAndSizesAreRead) {
  EXPECT_EQ(impl::numbers_of("0-3,8"), (Units{0, 1, 2, 3, 8}));
  EXPECT_EQ(impl::numbers_of("5"), Units{5});
  EXPECT_EQ(impl::numbers_of(""), Units{});
  EXPECT_EQ(impl::numbers_of("x,2,-3,4-,7-6,0-99999999999"), Units{2});
  EXPECT_EQ(impl::bytes_of("48K"), 48 * 1024);
  EXPECT_EQ(impl::bytes_of("2M"), 2 << 20);
  EXPECT_EQ(impl::bytes_of("512"), 512);
  EXPECT_EQ(impl::bytes_of(""), 0);
  EXPECT_EQ(impl::number_of("12 "), std::nullopt);
}

TEST(HostTopology, SysfsGivesPackagesNodesCoresAndCaches) {
  const FakeSystem system;
  write_two_packages(system);
  system.write("proc/self/task/1/status", "Cpus_allowed_list:\t2-3,6");
  system.write("proc/self/task/2/status", "Cpus_allowed_list:\t6");
  auto found = impl::sysfs_topology(system.root());
  ASSERT_TRUE(found);
  impl::complete(*found, system.root());
  EXPECT_EQ(found->source, "sysfs");
  EXPECT_EQ(found->processor, "Abacus 3");
  EXPECT_EQ(found->packages, 2);
  EXPECT_EQ(found->numa_nodes, 2);
  EXPECT_EQ(found->units(), 8);
  ASSERT_EQ(found->cores.size(), 4u);
  EXPECT_EQ(found->cores[1].units, (Units{1, 5}));
  EXPECT_EQ(found->cores[1].package, 0);
  EXPECT_EQ(found->cores[2].package, 1);
  EXPECT_EQ(found->cores[2].numa_node, 1);
  EXPECT_EQ(found->cores[2].cache, 1);
  EXPECT_EQ(found->memory_bytes, 1 << 20);
  EXPECT_EQ(found->cache_bytes(1), 48 * 1024);
  EXPECT_EQ(found->cache_bytes(2), 2 << 20);
  EXPECT_EQ(found->cache_bytes(3), 30 << 20);
  EXPECT_EQ(found->cache_bytes(4), 0);
  ASSERT_EQ(found->caches.size(), 3u);
  EXPECT_EQ(found->caches[1].cores, 1);
  EXPECT_EQ(found->caches[2].cores, 2);
  EXPECT_EQ(found->caches[2].line_bytes, 64);
  EXPECT_EQ(found->allowed_units, (Units{2, 3, 6}));
  EXPECT_EQ(found->allowed_cores(), 2);
  EXPECT_EQ(found->own_package(), 1);
  EXPECT_EQ(found->own_numa_node(), 1);
  EXPECT_EQ(found->own_cache(), 1);
}

TEST(HostTopology, CoresOnSeveralPackagesHaveNoOwnOne) {
  const FakeSystem system;
  write_two_packages(system);
  auto found = impl::sysfs_topology(system.root());
  ASSERT_TRUE(found);
  impl::complete(*found, system.root());
  EXPECT_EQ(found->allowed_cores(), 4) << "no affinity is known: all";
  EXPECT_EQ(found->own_package(), -1);
  EXPECT_EQ(found->own_cache(), -1);
}

TEST(HostTopology, ControlGroupsOfBothVersionsLimit) {
  const FakeSystem second;
  second.write("proc/self/cgroup", "0::/job/rank");
  second.write("sys/fs/cgroup/job/cpu.max", "150000 100000");
  second.write("sys/fs/cgroup/job/rank/cpu.max", "max 100000");
  second.write("sys/fs/cgroup/job/rank/memory.max", "4096");
  second.write("sys/fs/cgroup/job/memory.max", "max");
  EXPECT_EQ(impl::granted_processors(second.root()), 1.5);
  EXPECT_EQ(impl::granted_memory_bytes(second.root()), 4096);

  const FakeSystem first;
  first.write("proc/self/cgroup", "5:cpu,cpuacct:/job\n4:memory:/elsewhere\n0::/");
  first.write("sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "-1");
  first.write("sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000");
  first.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "8192");  // in a container the own path is not there
  EXPECT_EQ(impl::granted_processors(first.root()), std::nullopt);
  EXPECT_EQ(impl::granted_memory_bytes(first.root()), 8192);

  const FakeSystem none;
  EXPECT_EQ(impl::granted_processors(none.root()), std::nullopt);
}

TEST(HostTopology, WithoutAnyFileItIsFlat) {
  const FakeSystem nothing;
  EXPECT_FALSE(impl::sysfs_topology(nothing.root()));
  HostTopology flat = impl::flat_topology(3);
  impl::complete(flat, nothing.root());
  EXPECT_EQ(flat.units(), 3);
  EXPECT_EQ(flat.allowed_cores(), 3);
  EXPECT_EQ(flat.allowed_processors, 3.0);
  EXPECT_EQ(flat.cache_bytes(2), 0);
  EXPECT_EQ(flat.own_package(), 0);
  EXPECT_EQ(impl::flat_topology(0).units(), 1);
}

TEST(HostTopology, OfThisMachineIsConsistent) {
  const HostTopology& machine = host_topology();
  EXPECT_FALSE(machine.source.empty());
  EXPECT_GE(machine.units(), static_cast<int>(machine.cores.size()));
  EXPECT_GE(machine.allowed_cores(), 1);
  EXPECT_GT(machine.allowed_processors, 0);
  std::set<int> units;
  for (const HostCore& core : machine.cores) {
    EXPECT_LT(core.package, machine.packages);
    EXPECT_LT(core.numa_node, machine.numa_nodes);
    for (const int unit : core.units) EXPECT_TRUE(units.insert(unit).second) << "unit " << unit << " twice";
  }
  for (const int unit : machine.allowed_units) EXPECT_EQ(units.count(unit), 1u) << "unit " << unit;
  EXPECT_TRUE(std::is_sorted(machine.caches.begin(), machine.caches.end(),
                             [](const HostCache& a, const HostCache& b) { return a.level < b.level; }));
}

#ifdef CAESURA_HAS_HWLOC
TEST(HostTopology, HwlocAndSysfsSayTheSame) {
  const auto by_hwloc = impl::hwloc_topology();
  const auto by_sysfs = impl::sysfs_topology();
  if (!by_sysfs) GTEST_SKIP() << "no /sys/devices/system/cpu here";
  ASSERT_TRUE(by_hwloc);
  EXPECT_EQ(hwloc_version(), by_hwloc->source.substr(6));
  EXPECT_EQ(by_hwloc->cores.size(), by_sysfs->cores.size());
  EXPECT_EQ(by_hwloc->units(), by_sysfs->units());
  EXPECT_EQ(by_hwloc->packages, by_sysfs->packages);
  for (int level = 1; level <= 3; ++level)
    EXPECT_EQ(by_hwloc->cache_bytes(level), by_sysfs->cache_bytes(level)) << "level " << level;
}
#endif

TEST(HostIdentity, IsStableAndNotEmpty) {
  EXPECT_GT(host_identity().size(), 2u);
  EXPECT_EQ(host_identity(), host_identity());
}

}  // namespace
}  // namespace caesura
