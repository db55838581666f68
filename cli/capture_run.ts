/** A program over a capture: chunks in, packets through, a new capture out; memory stays flat. */
import cliProgress from "cli-progress";
import { BpfError, EINVAL } from "../src/abi/errno.ts";
import { ByteWriter } from "../src/bytes/writer.ts";
import type { BatchPacket } from "../src/net/batch.ts";
import { CaptureReader } from "../src/net/capture/reader.ts";
import { type CapturedPacket, LINKTYPE_ETHERNET, type PacketStamp, stampOf } from "../src/net/capture/types.ts";
import { captureWriter } from "../src/net/capture/writer.ts";
import { AtomicFile, fileSize, readChunks } from "../src/node/files.ts";
import type { CaptureClock } from "./capture_clock.ts";
import { formatBytes, type Io } from "./output.ts";
import type { Verdicts } from "./verdicts.ts";

export interface CaptureRun {
  readonly pcap: string;
  readonly out: string | undefined;
  readonly verdicts: Verdicts;
  /** Follows the packets while they run. */
  readonly clock: CaptureClock;
  /** After each chunk of packets: events of the program wait to be read. */
  readonly onChunk: () => void;
}

export interface CaptureResult {
  readonly packets: number;
  readonly bytes: number;
  /** Packets in the new capture. */
  readonly written: number;
  /** By return value. */
  readonly verdicts: ReadonlyMap<number, number>;
  /** From the first byte read to the last one written. */
  readonly seconds: number;
}

/** Captures below this need no progress bar. */
const LARGE_BYTES = 16 << 20;
const SHORTEST = 14;
const WRITE_BYTES = 1 << 20;

/** What a batch of packets reports: the verdict of each, and the end of a chunk. */
export interface BatchCallbacks {
  onResult(result: Pick<BatchPacket, "index" | "verdict" | "packet">): void;
  onChunk(): void;
}

export interface PacketBatch extends Disposable {
  /** Index of the packet that runs, in its chunk. */
  readonly running: number;
  add(packet: Uint8Array): void;
  flush(): void;
}

/** @param open how packets get to the program */
export function runCapture(open: (callbacks: BatchCallbacks) => PacketBatch, run: CaptureRun, io: Io): CaptureResult {
  const total = fileSize(run.pcap);
  const progress = io.interactive && total !== undefined && total > LARGE_BYTES ? progressBar(total) : undefined;
  using file = run.out === undefined ? undefined : new AtomicFile(run.out);
  const writer = run.out === undefined ? undefined : captureWriter(run.out);
  let pending = new ByteWriter(WRITE_BYTES + (1 << 16));
  /** Packets whose verdict is not known yet, from the one with index `reported` on. */
  let waiting: PacketStamp[] = [];
  const verdicts = new Map<number, number>();
  let [packets, bytes, written, reported] = [0, 0, 0, 0];
  const started = performance.now();

  using batch = open({
    onChunk: () => {
      reported += waiting.length;
      waiting = [];
      run.onChunk();
    },
    onResult: ({ index, verdict, packet }) => {
      verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
      const keep = writer ? run.verdicts.passes(verdict, packet.length) : 0;
      if (keep === 0) return;
      writer?.packet(pending, waiting[index - reported], packet.subarray(0, keep));
      written++;
    },
  });
  const flush = () => {
    file?.write(pending.finish());
    pending = new ByteWriter(WRITE_BYTES + (1 << 16));
  };

  const reader = new CaptureReader(run.pcap, (p) => {
    checkPacket(run.pcap, p, packets);
    packets++;
    bytes += p.data.length;
    batch.add(p.data);
    // After add(), which may have run and reported the packets before this one.
    waiting.push(stampOf(p));
  });
  run.clock.packet = () => waiting[batch.running];
  try {
    readChunks(run.pcap, (chunk) => {
      reader.push(chunk);
      if (pending.length >= WRITE_BYTES) flush();
      progress?.increment(chunk.length);
    });
    reader.end();
    batch.flush();
  } finally {
    run.clock.packet = undefined;
    progress?.stop();
  }
  writer?.end(pending);
  flush();
  file?.commit();
  return { packets, bytes, written, verdicts, seconds: (performance.now() - started) / 1000 };
}

function progressBar(total: number): cliProgress.SingleBar {
  const format = "{bar} {percentage}% | {value}/{total} | {eta_formatted}";
  const options = { format, hideCursor: true, clearOnComplete: true, formatValue: formatBarValue };
  const bar = new cliProgress.SingleBar(options, cliProgress.Presets.shades_classic);
  bar.start(total, 0);
  return bar;
}

function formatBarValue(value: number, _: unknown, type: string): string {
  return type === "value" || type === "total" ? formatBytes(value) : String(value);
}

function checkPacket(file: string, { iface, data }: CapturedPacket, index: number): void {
  if (iface.linkType !== LINKTYPE_ETHERNET) {
    const seen = `link type ${iface.linkType} seen, Ethernet (${LINKTYPE_ETHERNET}) wanted`;
    throw new BpfError(EINVAL, `${file}: packet ${index + 1}: ${seen}`, { file });
  }
  if (data.length < SHORTEST) {
    const seen = `${data.length} bytes captured, at least ${SHORTEST} (an Ethernet header) wanted`;
    throw new BpfError(EINVAL, `${file}: packet ${index + 1}: ${seen}`, { file });
  }
}
