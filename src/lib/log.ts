/** Structured fields of one log record. Never put a secret's value in one. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where a room reports what it does; the composition roots decide where records go. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}
