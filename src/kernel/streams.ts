/**
 * Streams of a program: text that it writes (bpf_stream_printk) or that the kernel writes about its faults, kept until
 * someone reads it.
 *
 * Errors   ENOENT no such stream; a program that writes more than there is room for gets -ENOSPC.
 * Source   kernel/bpf/stream.c.
 */
import { BPF_STREAM_MAX_CAPACITY } from "../abi/bpf.ts";
import { BpfError, ENOENT, ENOSPC } from "../abi/errno.ts";

export const BPF_STDOUT = 1;
export const BPF_STDERR = 2;

export class ProgStreams {
  readonly #text = new Map<number, Uint8Array[]>([
    [BPF_STDOUT, []],
    [BPF_STDERR, []],
  ]);

  /** @returns 0 or -errno, as the kfunc does */
  write(stream: number, text: string): number {
    const chunks = this.#text.get(stream);
    if (!chunks) return -ENOENT;
    const bytes = Uint8Array.from(text, (c) => c.charCodeAt(0));
    const used = chunks.reduce((n, chunk) => n + chunk.length, 0);
    if (used + bytes.length > BPF_STREAM_MAX_CAPACITY) return -ENOSPC;
    if (bytes.length) chunks.push(bytes);
    return 0;
  }

  /** Takes the oldest bytes. @throws ENOENT */
  read(stream: number, max: number): Uint8Array {
    const chunks = this.#text.get(stream);
    if (!chunks) throw new BpfError(ENOENT, `programs have no stream ${stream}; 1 is stdout, 2 stderr`, { stream });
    const out: number[] = [];
    while (chunks.length && out.length < max) {
      const room = max - out.length;
      const first = chunks[0]!;
      out.push(...first.subarray(0, room));
      if (first.length <= room) chunks.shift();
      else chunks[0] = first.subarray(room);
    }
    return Uint8Array.from(out);
  }
}
