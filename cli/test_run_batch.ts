/** Packets through a program one test run at a time: what openBatch() is for kernels that are not in this process. */
import type { BpfProg } from "../src/loader/prog.ts";
import type { BatchCallbacks, PacketBatch } from "./capture_run.ts";

/** Packets between two looks at the events of the program. */
const CHUNK = 64;

export function testRunBatch(prog: BpfProg, { onResult, onChunk }: BatchCallbacks): PacketBatch {
  let done = 0;
  const chunkEnd = () => {
    if (done % CHUNK === 0) onChunk();
  };
  /** Runs when the next one comes, since callers learn of a packet after adding it. */
  let next: Uint8Array | undefined;
  const run = () => {
    if (!next) return;
    const { retval, dataOut } = prog.testRun({ dataIn: next });
    next = undefined;
    onResult({ index: done++, verdict: retval, packet: dataOut });
    chunkEnd();
  };
  return {
    running: 0,
    add(data) {
      run();
      next = data.slice();
    },
    flush() {
      run();
      onChunk();
    },
    [Symbol.dispose]() {},
  };
}
