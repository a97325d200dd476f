/** The server refused the operation as a whole; `code` is of the first error, or CLOSED_<close code> of a socket. */
export class RequestRefused extends Error {
  readonly code: string;
  /** Over HTTP. */
  readonly status: number | undefined;

  constructor(message: string, code: string, status?: number) {
    super(message);
    this.name = 'RequestRefused';
    this.code = code;
    this.status = status;
  }
}
