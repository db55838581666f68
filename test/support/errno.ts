import { BpfError } from "../../src/abi/errno.ts";

/** Name of the errno that a call fails with; "0" when it does not. */
export function errnoOf(body: () => unknown): string {
  try {
    body();
    return "0";
  } catch (e) {
    if (e instanceof BpfError) return e.message.slice(e.message.lastIndexOf(" ") + 1);
    throw e;
  }
}
