/** Something that lives and dies with a connection: the child process whose stdin and stdout it is. */

/** How a process ended: one of the two is not null. */
export interface ProcessExit {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
}

export interface AttachedProcess {
  readonly pid: number
  /** Settles when the process has ended and was reaped. Never rejects. */
  readonly exited: Promise<ProcessExit>
  /** What it said on stderr at first, for the message of an error; '' if that goes elsewhere. */
  readonly stderrHead: string
  /** Its stdin has ended or will: makes sure that it ends within the times that it was given. */
  endSoon(): void
  /** Its time is over: makes sure that it ends without waiting for it to do so by itself. */
  endNow(): void
}
