import type { Entry } from "./entry.ts";

export const REFS: readonly Entry[] = [];
