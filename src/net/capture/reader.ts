/**
 * Reads a capture as its bytes arrive, in chunks of any size: memory stays flat however long the file is.
 *
 * The format is told by the first four bytes. Packets are views of the chunk (or of the bytes left over from the one
 * before), valid during the callback.
 */
import { BpfError, EINVAL } from "../../abi/errno.ts";
import { PCAP_MAGIC_NS, PCAP_MAGIC_US, pcapFormat } from "./pcap.ts";
import { BLOCK_SECTION, pcapngFormat } from "./pcapng.ts";
import type { CapturedPacket, CaptureFormat } from "./types.ts";

export class CaptureReader {
  readonly file: string;
  readonly #onPacket: (p: CapturedPacket) => void;
  #format: CaptureFormat | undefined;
  #rest: Uint8Array = new Uint8Array(0);
  /** Position in the file of #rest[0]. */
  #offBytes = 0;

  /** @param file names the capture in errors */
  constructor(file: string, onPacket: (p: CapturedPacket) => void) {
    this.file = file;
    this.#onPacket = onPacket;
  }

  get format(): "pcap" | "pcapng" | undefined {
    return this.#format?.name;
  }

  push(chunk: Uint8Array): void {
    const bytes = this.#rest.length === 0 ? chunk : concat(this.#rest, chunk);
    if (!this.#format) {
      if (bytes.length < 4) {
        this.#rest = bytes.slice();
        return;
      }
      this.#format = detect(bytes, this.file);
    }
    const used = this.#format.read(bytes, 0, this.#offBytes, this.#onPacket);
    this.#offBytes += used;
    this.#rest = bytes.slice(used);
  }

  /** The file ended: whatever is left is a record cut short. */
  end(): void {
    if (!this.#format) {
      throw new BpfError(EINVAL, `${this.file}: ${this.#rest.length} bytes seen, a pcap or pcapng capture wanted`);
    }
    if (this.#rest.length > 0) {
      const what = `the capture ends inside a record that starts at offset ${this.#offBytes}`;
      throw new BpfError(EINVAL, `${this.file}: truncated: ${what}: ${this.#rest.length} bytes of it are there`);
    }
  }
}

/** All packets of a capture that is in memory. */
export function readCapture(bytes: Uint8Array, file: string): CapturedPacket[] {
  const packets: CapturedPacket[] = [];
  const reader = new CaptureReader(file, (p) => packets.push(p));
  reader.push(bytes);
  reader.end();
  return packets;
}

function detect(bytes: Uint8Array, file: string): CaptureFormat {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magics = [view.getUint32(0, true), view.getUint32(0, false)];
  if (magics[0] === BLOCK_SECTION) return pcapngFormat(file);
  if (magics.some((m) => m === PCAP_MAGIC_US || m === PCAP_MAGIC_NS)) return pcapFormat(file);
  const seen = magics[1].toString(16).padStart(8, "0");
  throw new BpfError(
    EINVAL,
    `${file}: not a capture: first bytes ${seen} seen, pcap (a1b2c3d4) or pcapng (0a0d0d0a) wanted`,
  );
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}
