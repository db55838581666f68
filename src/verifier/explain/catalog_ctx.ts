import type { Entry } from "./entry.ts";

export const CTX: readonly Entry[] = [];
