/** Instructions put one after the other, with jumps to labels that come later. */

export interface Label {
  at: number;
  /** Slots of jumps that wait for the label. */
  readonly users: number[];
}

export class Emitter {
  readonly #slots: [code: number, dst: number, src: number, off: number, imm: number][] = [];
  readonly mapRefs: [number, number][] = [];
  /** Slots of calls and the function they call. */
  readonly #calls: [slot: number, label: Label][] = [];

  get length(): number {
    return this.#slots.length;
  }

  put(code: number, dst = 0, src = 0, off = 0, imm = 0): number {
    return this.#slots.push([code, dst, src, off, imm]) - 1;
  }

  imm64(dst: number, lo: number, hi: number, src = 0): void {
    this.put(0x18, dst, src, 0, lo);
    this.put(0, 0, 0, 0, hi);
  }

  map(dst: number, map: number): void {
    this.mapRefs.push([this.length, map]);
    this.imm64(dst, 0, 0, 1);
  }

  mapValue(dst: number, map: number, off: number): void {
    this.mapRefs.push([this.length, map]);
    this.imm64(dst, 0, off, 2);
  }

  label(): Label {
    return { at: -1, users: [] };
  }

  /** A label for what comes next. */
  here(): Label {
    return { at: this.length, users: [] };
  }

  bind(label: Label): void {
    label.at = this.length;
  }

  jump(code: number, dst: number, src: number, imm: number, to: Label): void {
    to.users.push(this.put(code, dst, src, 0, imm));
  }

  call(fn: Label): void {
    this.#calls.push([this.put(0x85, 0, 1, 0, 0), fn]);
  }

  /** @param labels every label that jumps use */
  bytes(labels: readonly Label[]): Uint8Array {
    for (const { at, users } of labels) for (const slot of users) this.#slots[slot][3] = at - slot - 1;
    for (const [slot, fn] of this.#calls) this.#slots[slot][4] = fn.at - slot - 1;
    const out = new Uint8Array(8 * this.#slots.length);
    const view = new DataView(out.buffer);
    this.#slots.forEach(([code, dst, src, off, imm], i) => {
      out[8 * i] = code;
      out[8 * i + 1] = (src << 4) | dst;
      view.setInt16(8 * i + 2, off, true);
      view.setInt32(8 * i + 4, imm, true);
    });
    return out;
  }
}
