/** What a service has that is declared by a command, apart from what the command says. */
export const serviceDefaults = { health: {}, mounts: [], drainMs: 30_000, graceMs: 10_000, stopSignal: "SIGTERM" } as const;
