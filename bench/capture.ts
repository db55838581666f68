/**
 * A firewall over a capture of a million packets: packets per second from pcapng bytes to verdicts, on one CPU, and
 * whether memory stays flat. The capture is examples/captures/traffic.pcapng again and again, which is a capture too.
 */
import { readFileSync } from "node:fs";
import { openObject } from "../src/loader/object.ts";
import { openBatch } from "../src/net/batch.ts";
import { CaptureReader } from "../src/net/capture/reader.ts";
import { createKernel } from "../src/net/create.ts";
import { sourceFile } from "./source_file.ts";

export interface CaptureFigures {
  readonly packets: number;
  readonly dropped: number;
  readonly packetsPerSecond: number;
  /** Bytes of live allocations in the kernel's memory, a tenth of the way and at the end. */
  readonly kernelBytes: readonly [early: number, late: number];
  /** Size of the linear memory, likewise. */
  readonly memoryBytes: readonly [early: number, late: number];
}

export function firewallOverCapture(packets: number): CaptureFigures {
  const file = sourceFile("../examples/firewall/firewall.o");
  const capture = new Uint8Array(readFileSync(sourceFile("../examples/captures/traffic.pcapng")));
  const kernel = createKernel();
  const proc = kernel.spawn();
  const object = openObject(readFileSync(file), { name: file });
  object.load(proc);
  object.set('blocked["10.0.0.1"]=1');
  const events = object.maps["events"].events({ type: "event" });
  const [prog] = Object.values(object.progs);
  let [seen, dropped] = [0, 0];
  const sizes: [number, number][] = [];
  const batch = openBatch(kernel, proc.progAt(prog.fd), {
    onChunk: () => void events.read(),
    onResult: ({ verdict }) => {
      if (verdict === 1) dropped++;
      if (++seen === packets / 10 || seen === packets) {
        sizes.push([kernel.memory.allocatedBytes, kernel.memory.u8.length]);
      }
    },
  });
  const start = process.cpuUsage();
  let added = 0;
  while (added < packets) {
    const reader = new CaptureReader(file, (p) => {
      if (added++ < packets) batch.add(p.data);
    });
    reader.push(capture);
    reader.end();
  }
  batch.close();
  const { user, system } = process.cpuUsage(start);
  const [early, late] = sizes;
  return {
    packets: seen,
    dropped,
    packetsPerSecond: (seen / (user + system)) * 1e6,
    kernelBytes: [early[0], late[0]],
    memoryBytes: [early[1], late[1]],
  };
}
