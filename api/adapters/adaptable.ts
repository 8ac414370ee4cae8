import type { ConnectionInfo } from '../../engine/common/connection.js'
import type { Frame } from '../../engine/common/frame.js'
import type { HandlerPlace } from '../../engine/common/handler-failures.js'
import type { WaitOptions } from '../../engine/protocol/waiter.js'

/** What an adapter needs: a connection has it, and so has a link that reconnects. */
export interface Adaptable {
  readonly closed: Promise<{ readonly code: string; readonly cause?: Error | undefined }>
  readonly info: Pick<ConnectionInfo, 'endpoint'>
  send(frame: Frame): boolean
  ready(options?: WaitOptions): Promise<void>
  receive(options?: WaitOptions): Promise<Buffer | undefined>
  subscribe(handler: (frame: Buffer) => unknown, options?: { readonly borrow?: boolean }): () => void
  end(options?: WaitOptions): Promise<void>
  close(): Promise<unknown>
  destroy(reason?: Error): void
  /**
   * Told when a function fails that an adapter was given: it ends with ERR_HANDLER, and that is told. Optional for
   * others.
   */
  handlerFailed?(where: HandlerPlace, what: string, cause: unknown): void
  /**
   * Told of work on a frame that an adapter has handed on, which an end of the engine waits for. Optional for others.
   */
  atWork?(pending: Promise<unknown>): void
}
