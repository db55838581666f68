/** Text as bpf(2) takes it and gives it: UTF-8 that ends at a NUL. */

/** NUL-terminated, as system calls take names and paths. */
export function cString(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\0`);
}

/** Text up to the first NUL. */
export function fromCString(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}
