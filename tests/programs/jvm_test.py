#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A Java virtual machine whose threads make garbage of all sizes, and some memory outside its heap,
under each of two collectors; its heap, which it reserves by mmap, is rewritten too.

Compared: what each thread has read back, mixed into a number."""

import base64

import harness

COLLECTORS = ["-XX:+UseSerialGC", "-XX:+UseG1GC", "-XX:+UseParallelGC"]

# Compiled (javac --release 8 -g:none) because a machine that runs Java need not compile it:
#
#   public class Churn extends Thread {
#       final int steps, number;
#       long sum;
#       Churn(int number, int steps) { this.number = number; this.steps = steps; }
#       public void run() {
#           java.nio.ByteBuffer outside = java.nio.ByteBuffer.allocateDirect(1 << 20);
#           outside.putLong(0, churn(number + 1, steps));
#           sum = outside.getLong(0);
#       }
#       static long mix(long value) {
#           value = (value ^ (value >>> 30)) * 0xbf58476d1ce4e5b9L;
#           value = (value ^ (value >>> 27)) * 0x94d049bb133111ebL;
#           return value ^ (value >>> 31);
#       }
#       static long churn(long seed, int steps) {
#           Object[] held = new Object[256];
#           long random = seed, sum = 0;
#           for (int i = 0; i < steps; ++i) {
#               random = mix(random + 0x9e3779b97f4a7c15L);
#               int place = (int) (random >>> 56), size = (int) (random & 0x3fff) + 1;
#               if (held[place] instanceof byte[]) {
#                   byte[] old = (byte[]) held[place];
#                   sum = sum * 31 + old[0] + old[old.length - 1] + old.length;
#               } else if (held[place] != null) {
#                   sum = sum * 31 + held[place].hashCode();
#               }
#               if ((random >>> 20 & 3) == 0) {
#                   StringBuilder text = new StringBuilder();
#                   for (int at = 0; at < size / 64; ++at) text.append(random >>> (at & 31));
#                   held[place] = text.toString();
#               } else {
#                   byte[] fresh = new byte[size];
#                   fresh[0] = (byte) random;
#                   fresh[size - 1] = (byte) (random >>> 8);
#                   held[place] = fresh;
#               }
#           }
#           return sum;
#       }
#       public static void main(String[] words) throws Exception {
#           Churn[] threads = new Churn[4];
#           for (int i = 0; i < 4; ++i) {
#               threads[i] = new Churn(i, Integer.parseInt(words[0]));
#               threads[i].start();
#           }
#           for (int i = 0; i < 4; ++i) {
#               threads[i].join();
#               System.out.println("thread " + i + ": " + Long.toHexString(threads[i].sum));
#           }
#       }
#   }
CHURN_CLASS = (
    "yv66vgAAADQAgQoAAgADBwAEDAAFAAYBABBqYXZhL2xhbmcvVGhyZWFkAQAGPGluaXQ+AQADKClWCQAIAAkHAAoMAAsA"
    "DAEABUNodXJuAQAGbnVtYmVyAQABSQkACAAODAAPAAwBAAVzdGVwcwMAEAAACgASABMHABQMABUAFgEAE2phdmEvbmlv"
    "L0J5dGVCdWZmZXIBAA5hbGxvY2F0ZURpcmVjdAEAGChJKUxqYXZhL25pby9CeXRlQnVmZmVyOwoACAAYDAAZABoBAAVj"
    "aHVybgEABShKSSlKCgASABwMAB0AHgEAB3B1dExvbmcBABkoSUopTGphdmEvbmlvL0J5dGVCdWZmZXI7CgASACAMACEA"
    "IgEAB2dldExvbmcBAAQoSSlKCQAIACQMACUAJgEAA3N1bQEAAUoFv1hHbRzk5bkFlNBJuxMxEesHACwBABBqYXZhL2xh"
    "bmcvT2JqZWN0BZ43ebl/SnwVCgAIADAMADEAMgEAA21peAEABChKKUoFAAAAAAAAP/8HADYBAAJbQgUAAAAAAAAAHwoA"
    "KwA6DAA7ADwBAAhoYXNoQ29kZQEAAygpSQUAAAAAAAAAAwcAQAEAF2phdmEvbGFuZy9TdHJpbmdCdWlsZGVyCgA/AAMK"
    "AD8AQwwARABFAQAGYXBwZW5kAQAcKEopTGphdmEvbGFuZy9TdHJpbmdCdWlsZGVyOwoAPwBHDABIAEkBAAh0b1N0cmlu"
    "ZwEAFCgpTGphdmEvbGFuZy9TdHJpbmc7CgBLAEwHAE0MAE4ATwEAEWphdmEvbGFuZy9JbnRlZ2VyAQAIcGFyc2VJbnQB"
    "ABUoTGphdmEvbGFuZy9TdHJpbmc7KUkKAAgAUQwABQBSAQAFKElJKVYKAAgAVAwAVQAGAQAFc3RhcnQKAAgAVwwAWAAG"
    "AQAEam9pbgkAWgBbBwBcDABdAF4BABBqYXZhL2xhbmcvU3lzdGVtAQADb3V0AQAVTGphdmEvaW8vUHJpbnRTdHJlYW07"
    "CABgAQAHdGhyZWFkIAoAPwBiDABEAGMBAC0oTGphdmEvbGFuZy9TdHJpbmc7KUxqYXZhL2xhbmcvU3RyaW5nQnVpbGRl"
    "cjsKAD8AZQwARABmAQAcKEkpTGphdmEvbGFuZy9TdHJpbmdCdWlsZGVyOwgAaAEAAjogCgBqAGsHAGwMAG0AbgEADmph"
    "dmEvbGFuZy9Mb25nAQALdG9IZXhTdHJpbmcBABUoSilMamF2YS9sYW5nL1N0cmluZzsKAHAAcQcAcgwAcwB0AQATamF2"
    "YS9pby9QcmludFN0cmVhbQEAB3ByaW50bG4BABUoTGphdmEvbGFuZy9TdHJpbmc7KVYBAARDb2RlAQADcnVuAQANU3Rh"
    "Y2tNYXBUYWJsZQcAeQEAE1tMamF2YS9sYW5nL09iamVjdDsBAARtYWluAQAWKFtMamF2YS9sYW5nL1N0cmluZzspVgcA"
    "fQEACFtMQ2h1cm47AQAKRXhjZXB0aW9ucwcAgAEAE2phdmEvbGFuZy9FeGNlcHRpb24AIQAIAAIAAAADABAADwAMAAAA"
    "EAALAAwAAAAAACUAJgAAAAUAAAAFAFIAAQB1AAAAGwACAAMAAAAPKrcAASobtQAHKhy1AA2xAAAAAAABAHYABgABAHUA"
    "AAAwAAUAAgAAACQSELgAEUwrAyq0AAcEYIUqtAANuAAXtgAbVyorA7YAH7UAI7EAAAAAAAgAMQAyAAEAdQAAACkABQAC"
    "AAAAHR4eEB59gxQAJ2k/Hh4QG32DFAApaT8eHhAffYOtAAAAAAAIABkAGgABAHUAAAEqAAUADQAAAO4RAQC9ACtOHjcE"
    "CTcGAzYIFQgcogDYFgQUAC1huAAvNwQWBBA4fYg2CRYEFAAzf4gEYDYKLRUJMsEANZkALC0VCTLAADU6CxYGFAA3aRkL"
    "AzOFYRkLGQu+BGQzhWEZC76FYTcGpwAbLRUJMsYAFBYGFAA3aS0VCTK2ADmFYTcGFgQQFH0UAD1/CZSaADm7AD9ZtwBB"
    "OgsDNgwVDBUKEEBsogAXGQsWBBUMEB9+fbYAQleEDAGn/+UtFQkZC7YARlOnACUVCrwIOgsZCwMWBIiRVBkLFQoEZBYE"
    "EAh9iJFULRUJGQtThAgBp/8oFgatAAAAAQB3AAAAKgAI/wAQAAYEAQcAeAQEAQAA/QBWAQEX/QAZBwA/AfoAHfoAC/kA"
    "IfoABQAJAHoAewACAHUAAACMAAcAAwAAAGcHvQAITAM9HAeiACArHLsACFkcKgMyuABKtwBQUyscMrYAU4QCAaf/4QM9"
    "HAeiADkrHDK2AFayAFm7AD9ZtwBBEl+2AGEctgBkEme2AGErHDK0ACO4AGm2AGG2AEa2AG+EAgGn/8ixAAAAAQB3AAAA"
    "EwAE/QAHBwB8AfoAIfwAAQH6ADoAfgAAAAQAAQB/AAA=")


def subject(stage):
    java = harness.require("java", "default-jre-headless")
    (stage.dir / "Churn.class").write_bytes(base64.b64decode(CHURN_CLASS))
    collectors, steps = (COLLECTORS, 2_000_000) if stage.arguments.full else (COLLECTORS[:2], 60_000)
    for collector in collectors:
        output = stage.run([java, collector, "-Xmx192m", "-Xss512k", "-cp", stage.dir, "Churn", steps])
        stage.say(*output.splitlines())


if __name__ == "__main__":
    harness.main(subject)
