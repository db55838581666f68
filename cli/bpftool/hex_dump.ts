/** Bytes as bpftool prints them: `0000000	0000 0000 ... | ........ ........`. */
export function hexDump(bytes: Uint8Array): string {
  let out = "";
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.subarray(at, at + 16);
    let text = `${at.toString(16).padStart(7, "0")}\t`;
    for (let i = 0; i < 16; i++) {
      text += i < row.length ? row[i].toString(16).padStart(2, "0") : "  ";
      if (i % 2 === 1) text += " ";
    }
    const chars = [...row].map((b) => (b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : "."));
    out += `${text}| ${chars.slice(0, 8).join("")} ${chars.slice(8).join("")}`.trimEnd();
    out += "\n";
  }
  return out;
}
