#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""perl: its own pod2text over all of its own documentation, by several children; and threads, each
with a clone of the interpreter, that sort, match, freeze and thaw. (Debian has no package of perl's
core tests.)

Compared: digests of everything that was made, line by line."""

import harness

POD = r"""
use strict; use warnings;
use File::Find; use Pod::Text; use Digest::SHA 'sha256_hex';
my ($children, $share) = @ARGV;
my @files;
find(sub { push @files, $File::Find::name if /\.(pm|pod|pl)$/ && -f }, grep { -d } '/usr/share/perl/5.36');
find({ wanted => sub { push @files, $File::Find::name if /\.(pm|pod|pl)$/ && -f }, follow => 1 },
     '/usr/share/perl/5.36') unless @files;
@files = sort @files;
@files = @files[grep { $_ % $share == 0 } 0 .. $#files];
my @pipes;
for my $child (0 .. $children - 1) {
    my $pid = open(my $pipe, '-|') // die "fork: $!";
    if ($pid == 0) {
        for my $i (grep { $_ % $children == $child } 0 .. $#files) {
            my $text = '';
            my $parser = Pod::Text->new(width => 100);
            $parser->output_string(\$text);
            $parser->parse_file($files[$i]);
            utf8::encode($text);
            print "$files[$i] ", length($text), ' ', sha256_hex($text), "\n";
        }
        exit 0;
    }
    push @pipes, $pipe;
}
for my $pipe (@pipes) { print while <$pipe>; close $pipe or print "a child ended with $?\n"; }
print scalar(@files), " files\n";
"""

THREADS = r"""
use strict; use warnings;
use threads; use Thread::Queue; use Storable qw(freeze thaw); use Digest::SHA 'sha256_hex';
my ($rounds) = @ARGV;
my $queue = Thread::Queue->new(1 .. $rounds);
$queue->end;
sub work {
    my %made;
    while (defined(my $seed = $queue->dequeue)) {
        my $random = $seed;
        my $next = sub { $random = ($random * 48271) % 2147483647; $random % $_[0] };
        my %table = map { 'key' . $next->(10000) => [map { $next->(100) } 1 .. $next->(30)] } 1 .. 400;
        my $copy = thaw(freeze(\%table));
        my $text = join ',', map { "$_=" . join(' ', sort { $a <=> $b } @{$copy->{$_}}) } sort keys %$copy;
        $text =~ s/(\d)(\d)/$2$1/g;
        $made{$seed} = sha256_hex($text x 20);
    }
    return \%made;
}
my @all = map { threads->create({ context => 'scalar' }, \&work) } 1 .. 4;
my %found = map { %{$_->join} } @all;
print "$_ $found{$_}\n" for sort { $a <=> $b } keys %found;
"""


def subject(stage):
    program = harness.require("perl", "perl")
    share, rounds = (1, 3000) if stage.arguments.full else (12, 80)
    for name, text, words in (("pod", POD, [4, share]), ("threads", THREADS, [rounds])):
        (stage.dir / name).write_text(text)
        stage.say(*stage.run([program, stage.dir / name, *words]).splitlines())


if __name__ == "__main__":
    harness.main(subject)
