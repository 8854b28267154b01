/** Exit statuses of the contract; a script treats any other as failure. */
export const exitStatus = {
  done: 0,
  failed: 1,
  usage: 2,
  notRunning: 3,
  notFound: 4,
  partial: 5,
  stillStarting: 6,
  notProven: 7,
  refused: 8,
  locked: 75,
  interrupted: 130,
} as const;

export type ExitStatus = (typeof exitStatus)[keyof typeof exitStatus];

/** Every error this tool can report, and the exit status it ends with. Codes are stable: scripts match on them. */
export const errorRegistry = {
  USAGE: exitStatus.usage,
  BAD_NAME: exitStatus.usage,
  BAD_SELECTOR: exitStatus.usage,
  BAD_PORT: exitStatus.usage,
  BAD_TIME: exitStatus.usage,
  BAD_TEMPLATE: exitStatus.usage,
  BAD_SETTING: exitStatus.usage,
  BAD_PROJECT_FILE: exitStatus.usage,
  BAD_INJECTION: exitStatus.usage,
  BAD_FLEET: exitStatus.usage,
  NOT_HERE: exitStatus.usage,
  CONFIRMATION_REQUIRED: exitStatus.usage,
  INSTANCE_EXISTS: exitStatus.failed,
  INSTANCE_NOT_FOUND: exitStatus.notFound,
  INSTANCE_BROKEN: exitStatus.failed,
  NOT_ADOPTABLE: exitStatus.failed,
  INSTANCE_NOT_RUNNING: exitStatus.notRunning,
  NOT_IN_PLACE: exitStatus.failed,
  NO_POSTGRES: exitStatus.failed,
  NO_PG_DUMP: exitStatus.failed,
  NO_SCHEDULER: exitStatus.failed,
  NO_PGBOUNCER: exitStatus.failed,
  NO_POOLER: exitStatus.failed,
  POOLER_FAILED: exitStatus.failed,
  NO_PG_RECEIVEWAL: exitStatus.failed,
  RECEIVER_FAILED: exitStatus.failed,
  POOLER_BUDGET: exitStatus.refused,
  NO_SERVICE_ACCOUNT: exitStatus.failed,
  NOT_READY: exitStatus.failed,
  INSTANCES_LEFT: exitStatus.failed,
  ROOT_UNREACHABLE: exitStatus.failed,
  PORT_IN_USE: exitStatus.failed,
  NO_FREE_PORT: exitStatus.refused,
  MEMORY_BUDGET: exitStatus.refused,
  DISK_SPACE: exitStatus.refused,
  LOCKED: exitStatus.locked,
  PROGRAM_FAILED: exitStatus.failed,
  PROGRAM_TIMEOUT: exitStatus.failed,
  START_FAILED: exitStatus.failed,
  DATA_PERMISSIONS: exitStatus.failed,
  DATA_IN_USE: exitStatus.failed,
  STALE_LOCK_FILE: exitStatus.failed,
  WRONG_VERSION: exitStatus.failed,
  BAD_CONFIGURATION: exitStatus.failed,
  BAD_ACCESS_RULES: exitStatus.failed,
  SHARED_MEMORY: exitStatus.failed,
  LOCALE_MISSING: exitStatus.failed,
  LIBRARY_MISSING: exitStatus.failed,
  CONTROL_FILE_DAMAGED: exitStatus.failed,
  WAL_MISSING: exitStatus.failed,
  STILL_STARTING: exitStatus.stillStarting,
  STOP_TIMEOUT: exitStatus.failed,
  WRONG_SERVER: exitStatus.failed,
  SQL_FAILED: exitStatus.failed,
  DATABASE_EXISTS: exitStatus.failed,
  DATABASE_IN_USE: exitStatus.failed,
  ROLE_IN_USE: exitStatus.failed,
  MIGRATIONS_NOT_FOUND: exitStatus.notFound,
  MIGRATION_AMBIGUOUS: exitStatus.failed,
  MIGRATION_CHANGED: exitStatus.failed,
  MIGRATION_MISSING: exitStatus.failed,
  MIGRATION_OUT_OF_ORDER: exitStatus.failed,
  MIGRATION_FAILED: exitStatus.failed,
  MIGRATION_NO_DOWN: exitStatus.failed,
  BASELINE_UNCLEAR: exitStatus.failed,
  REHEARSAL_FAILED: exitStatus.failed,
  MIGRATION_LOCKED: exitStatus.locked,
  BACKUP_NOT_FOUND: exitStatus.notFound,
  BACKUP_FAILED: exitStatus.failed,
  BACKUP_NOT_PROVEN: exitStatus.notProven,
  BACKUP_NEEDED: exitStatus.failed,
  REPOSITORY_ELSEWHERE: exitStatus.failed,
  DAMAGED_DATA: exitStatus.notProven,
  DAMAGE_ALARM: exitStatus.notProven,
  NOT_PROTECTED: exitStatus.notProven,
  RESTORE_TARGET: exitStatus.failed,
  RESTORE_FAILED: exitStatus.failed,
  FILE_DAMAGED: exitStatus.failed,
  FILE_ACCESS: exitStatus.failed,
  SOME_FAILED: exitStatus.partial,
  HELD_BACK: exitStatus.partial,
  INTERRUPTED: exitStatus.interrupted,
  INTERNAL: exitStatus.failed,
} as const satisfies Record<string, ExitStatus>;

export type ErrorCode = keyof typeof errorRegistry;

export interface ErrorDetails {
  /** What to type next. */
  hint?: string | undefined;
  /** The words of the server or the program that failed, several lines. */
  output?: string | undefined;
  cause?: unknown;
  /** What scripts may want beside the message, shown in JSON only. */
  data?: Record<string, unknown> | undefined;
}

/** The one error this tool throws on purpose; anything else that reaches the top is our bug (`INTERNAL`). */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly output: string | undefined;
  readonly data: Record<string, unknown> | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
    this.output = details.output;
    this.data = details.data;
  }

  get exitCode(): ExitStatus {
    return errorRegistry[this.code];
  }

  /** The same error, with more for scripts to read. */
  with(data: Record<string, unknown>, message = this.message): AppError {
    const { code, hint, output, cause } = this;
    return new AppError(code, message, { hint, output, cause, data: { ...this.data, ...data } });
  }
}

/** Turns whatever was thrown into an AppError, so that one switch decides how it is told. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  // Anything may be thrown, null too.
  const { code, path, message, severity } = Object(error) as NodeJS.ErrnoException & { severity?: string };
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new AppError('DISK_SPACE', `no space left on the disk${path ? ` for ${path}` : ''}`, {
      hint: `free some space (df -h), then repeat the command`,
      cause: error,
    });
  }
  if ((code === 'EACCES' || code === 'EPERM' || code === 'EROFS') && path) {
    const why = code === 'EROFS' ? 'the file system is read-only' : 'permission denied';
    return new AppError('FILE_ACCESS', `${path}: ${why}`, {
      hint: `check the owner and mode with: ls -ld ${path}`,
      cause: error,
    });
  }
  if (severity !== undefined) {
    return new AppError('SQL_FAILED', `the server says: ${message} (SQLSTATE ${code})`, { cause: error });
  }
  if (isSilence(error)) {
    return new AppError('SQL_FAILED', 'the server lives and does not answer', {
      hint: 'see how it is with: ./manage.ts --action status',
      cause: error,
    });
  }
  if (code === 'ECONNREFUSED' || code === 'ECONNRESET' || message === 'Connection terminated unexpectedly') {
    return new AppError('SQL_FAILED', `the server cannot be reached: ${message}`, {
      hint: 'see how it is with: ./manage.ts --action status',
      cause: error,
    });
  }
  return new AppError('INTERNAL', message ?? String(error), {
    hint: 'this is a defect of pg-manage: repeat with --verbose and report what it prints',
    cause: error,
  });
}

/** True for what the driver says when a server accepts and then says nothing in time, to a connection or to a statement. */
export function isSilence(error: unknown): boolean {
  return error instanceof Error && /^(timeout expired|Query read timeout)$/.test(error.message);
}

/** True when an operation ended because its signal was aborted (Ctrl-C, SIGTERM, a lost lock). */
export function isAbort(error: unknown): boolean {
  return (
    error instanceof Error && (error.name === 'AbortError' || (error as NodeJS.ErrnoException).code === 'ABORT_ERR')
  );
}
