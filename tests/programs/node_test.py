#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Node.js: worker threads that allocate on V8's heap and outside it (buffers, compression, hashes).

Compared: every line that it prints, which are digests of all that was made."""

import harness

PROGRAM = r"""
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const crypto = require('crypto');
const zlib = require('zlib');

function work(seed, rounds) {
  const digest = crypto.createHash('sha256');
  let random = seed;
  const next = (limit) => (random = (random * 48271) % 2147483647) % limit;
  const held = new Array(64).fill(null);
  for (let round = 0; round < rounds; ++round) {
    const place = next(64);
    switch (next(4)) {
      case 0:
        held[place] = Buffer.alloc(next(200000), next(256));
        break;
      case 1: {
        const map = new Map();
        for (let i = 0; i < next(2000); ++i) map.set('key' + next(100000), { value: i, list: [i, i] });
        held[place] = JSON.stringify([...map]);
        break;
      }
      case 2: {
        const text = 'line ' + next(1000) + '\n';
        const packed = zlib.deflateSync(text.repeat(next(5000)));
        held[place] = zlib.inflateSync(packed);
        break;
      }
      default:
        held[place] = new Float64Array(next(50000)).fill(next(100)).join(',').slice(0, 1000);
    }
    digest.update(held[place]);
  }
  return digest.digest('hex');
}

if (isMainThread) {
  const rounds = Number(process.argv[2]);
  const workers = [1, 2, 3, 4].map((seed) => new Promise((resolve, reject) => {
    const worker = new Worker(__filename, { workerData: { seed, rounds } });
    worker.on('message', resolve);
    worker.on('error', reject);
  }));
  console.log('main', work(99, rounds));
  Promise.all(workers).then((all) => all.forEach((one, i) => console.log('worker', i, one)));
} else {
  parentPort.postMessage(work(workerData.seed, workerData.rounds));
}
"""


def subject(stage):
    program = harness.require("node", "nodejs")
    (stage.dir / "program.js").write_text(PROGRAM)
    rounds = 30_000 if stage.arguments.full else 500
    output = stage.run([program, stage.dir / "program.js", rounds])
    stage.say(*output.splitlines())


if __name__ == "__main__":
    harness.main(subject)
