import type { Entry } from "./entry.ts";

export const OBJECTS: readonly Entry[] = [];
