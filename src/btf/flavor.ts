/**
 * Type flavours: `struct sk_buff___old` is `struct sk_buff` to CO-RE. The essential name is what precedes the last
 * `___` that has something other than an underscore on both sides.
 */

export function essentialName(name: string): string {
  for (let i = name.length - 5; i >= 0; i--) {
    if (name[i] !== "_" && name[i + 4] !== "_" && name.startsWith("___", i + 1)) return name.slice(0, i + 1);
  }
  return name;
}
