import type { Entry } from "./entry.ts";

export const CALLS: readonly Entry[] = [];
