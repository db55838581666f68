/** One worker of the conformance run: verifies every program of the objects it is sent. */
import { parentPort, workerData } from "node:worker_threads";
import { loadKernelBtf } from "../src/node/kernel_btf.ts";
import type { VerdictRow } from "./compare.ts";
import { verifyObject } from "./verify_object.ts";

export interface Job {
  readonly path: string;
  readonly file: string;
  readonly progs: readonly { readonly prog: string; readonly sec: string; readonly type: number }[];
}

const { btf } = workerData as { btf: string | undefined };
const kernel = loadKernelBtf(btf);

parentPort?.on("message", (job: Job) => {
  const rows: VerdictRow[] = verifyObject(job, kernel.btf);
  parentPort?.postMessage(rows);
});
