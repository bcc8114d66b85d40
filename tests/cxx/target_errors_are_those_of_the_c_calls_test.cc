// SPDX-License-Identifier: Apache-2.0
// What mpol::Target can't do it tells by the errno of mpol.h, and nothing has changed.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <climits>
#include <mpol/mpol.hpp>

#include "preloaded.h"

namespace mpol::test {
namespace {

constexpr size_t kMiB = size_t{1} << 20;
constexpr std::chrono::milliseconds kShort{20};
const Policy kBind0(Mode::kBind, NodeMask(1));

TEST(TargetErrors, OfProcessesThatCannotBeOpened) {
    const pid_t gone = ::fork();
    if (gone == 0) ::_exit(0);
    ASSERT_EQ(::waitpid(gone, nullptr, 0), gone);
    EXPECT_EQ(Target::open(gone).error(), std::errc::no_such_process);
    EXPECT_EQ(Target::open(::getpid()).error(), std::errc::no_such_device)
        << "this process does not run under the preloaded library";
    Preloaded subject;
    EXPECT_EQ(Target::open(subject.pid(), static_cast<Access>(2)).error(),
              std::errc::invalid_argument);
}

TEST(TargetErrors, OfThoseOpenedToReadOnly) {
    Preloaded subject;
    auto target = Target::open(subject.pid());
    ASSERT_TRUE(target);
    const std::uint64_t generation = target->read()->generation;
    EXPECT_EQ(target->write(kProcess, kBind0, kShort).error(), std::errc::bad_file_descriptor);
    EXPECT_EQ(target->unset(kProcess, kShort).error(), std::errc::bad_file_descriptor);
    EXPECT_EQ(target->start_migration().error(), std::errc::bad_file_descriptor);
    EXPECT_EQ(target->renew_migration().error(), std::errc::bad_file_descriptor);
    EXPECT_EQ(target->wait_migration(1, kShort).error(), std::errc::bad_file_descriptor);
    EXPECT_EQ(target->cancel_migration(1).error(), std::errc::bad_file_descriptor);
    EXPECT_EQ(target->read()->generation, generation);
}

TEST(TargetErrors, OfWhatIsRefused) {
    Preloaded subject;
    auto target = Target::open(subject.pid(), Access::kWrite);
    ASSERT_TRUE(target);
    const std::uint64_t generation = target->read()->generation;
    const Policy elsewhere(Mode::kBind, NodeMask().set(1023));
    EXPECT_EQ(target->write(kProcess, elsewhere, kShort).error(), std::errc::invalid_argument);
    EXPECT_EQ(target->write(kProcess, kBind0, kShort, MPOL_KEEP_CACHED << 1).error(),
              std::errc::invalid_argument);
    EXPECT_EQ(target->write_kind(kProcess, Kind::kLarge, 4096, kBind0, kShort).error(),
              std::errc::invalid_argument);
    EXPECT_EQ(target->read_kind(kProcess, static_cast<Kind>(3)).error(),
              std::errc::invalid_argument);
    const pid_t tid = subject.tid(Preloaded::kMain);
    EXPECT_EQ(target->write_kind(tid, Kind::kLarge, kMiB, kBind0, kShort).error(),
              std::errc::no_message_available);
    EXPECT_EQ(target->read_kind(1, Kind::kMmap).error(), std::errc::no_such_process);
    EXPECT_EQ(target->read()->generation, generation) << "nothing was published";
}

TEST(TargetErrors, OfATargetThatDoesNothingMeanwhile) {
    Preloaded subject;  // It has no helper before it sees a rewrite, and makes no call here.
    auto target = Target::open(subject.pid(), Access::kWrite);
    ASSERT_TRUE(target);
    EXPECT_EQ(target->write(kProcess, kBind0, kShort).error(), std::errc::timed_out);
    EXPECT_EQ(target->read()->policy, kBind0) << "published";
    EXPECT_FALSE(target->read()->in_force);

    const auto generation = target->start_migration();
    ASSERT_TRUE(generation);
    EXPECT_EQ(target->wait_migration(*generation, kShort).error(), std::errc::timed_out);
    ASSERT_TRUE(target->cancel_migration(*generation));
    // Times beyond what the C call takes are its longest, and before now is now.
    ASSERT_TRUE(target->wait_migration(*generation, std::chrono::milliseconds::max()));
    EXPECT_EQ(target->read_migration()->phase, MPOL_MIGRATION_CANCELLED);
    ASSERT_TRUE(target->wait_migration(*generation, -kShort));
    EXPECT_TRUE(target->write(kProcess, kBind0, -kShort)) << "does not wait";
}

}  // namespace
}  // namespace mpol::test
