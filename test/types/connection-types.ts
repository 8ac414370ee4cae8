/** What the compiler accepts and refuses of a connection, whichever kind it is. It is compiled, and never run. */
import { expectTypeOf } from 'expect-type'
import type {
  BatchHandler,
  Capabilities,
  ClosedInfo,
  Connection,
  ConnectionInfo,
  Frame,
  FrameBatch,
  FrameHandler,
  LeasedConnection,
  ReconnectingConnection,
  SubscribeOptions,
  TransportErrorCode,
  WaitOptions,
} from 'symphony-transport'

declare const connection: Connection

// All of them are one interface.
expectTypeOf<ReconnectingConnection>().toExtend<Connection>()
expectTypeOf<LeasedConnection>().toExtend<Connection>()

// Sending.
expectTypeOf<Frame>().toEqualTypeOf<Uint8Array | string | readonly (Uint8Array | string)[]>()
expectTypeOf<Connection['send']>().toEqualTypeOf<(frame: Frame) => boolean>()
connection.send('text')
connection.send(Buffer.from('bytes'))
connection.send(new Uint8Array(8))
connection.send(['header', Buffer.from('body')] as const)
// @ts-expect-error only bytes
connection.send(new Uint16Array(8))
// @ts-expect-error memory without a view
connection.send(new ArrayBuffer(8))
// @ts-expect-error nothing is serialized
connection.send({ hello: 'world' })
// @ts-expect-error parts of parts
connection.send([['header'], 'body'])
// @ts-expect-error nothing is no frame
connection.send(undefined)
expectTypeOf<Connection['sendBatch']>().toEqualTypeOf<(frames: readonly Frame[]) => boolean>()
connection.sendBatch([Buffer.from('bytes'), 'text', ['two', 'parts']] as const)
// @ts-expect-error one frame is no batch
connection.sendBatch('text')
// @ts-expect-error bytes are one frame
connection.sendBatch(Buffer.from('bytes'))
// @ts-expect-error all or nothing of what can be iterated once would have to be collected first
connection.sendBatch(new Set(['text']))
expectTypeOf(connection.ready({ timeoutMs: 100 })).resolves.toBeVoid()
expectTypeOf(connection.end()).resolves.toBeVoid()

// Receiving.
expectTypeOf(connection.receive()).resolves.toEqualTypeOf<Buffer | undefined>()
expectTypeOf<Connection['receive']>().parameters.toEqualTypeOf<[options?: WaitOptions]>()
expectTypeOf<Connection>().toExtend<AsyncIterable<Buffer>>()
export async function iterates(): Promise<void> {
  for await (const frame of connection) expectTypeOf(frame).toEqualTypeOf<Buffer>()
}
export async function disposes(): Promise<void> {
  await using own = connection
  expectTypeOf(own).toEqualTypeOf<Connection>()
}
// @ts-expect-error the stream may have ended
void connection.receive().then((frame) => frame.length)
// @ts-expect-error milliseconds
void connection.receive({ timeoutMs: '1s' })

// Subscribing.
expectTypeOf<Connection['subscribe']>().toEqualTypeOf<
  (handler: FrameHandler, options?: SubscribeOptions) => () => void
>()
expectTypeOf<FrameHandler>().toEqualTypeOf<(frame: Buffer) => unknown>()
connection.subscribe((frame) => connection.send(frame), { borrow: true })
connection.subscribe(async (frame) => Promise.resolve(frame.length))
connection.subscribe(() => undefined)
// @ts-expect-error frames are bytes
connection.subscribe((frame: string) => frame)
// @ts-expect-error no such option
connection.subscribe(() => undefined, { borrowed: true })

// In batches.
expectTypeOf<Connection['subscribeBatch']>().toEqualTypeOf<(handler: BatchHandler) => () => void>()
expectTypeOf<BatchHandler>().toEqualTypeOf<(batch: FrameBatch) => unknown>()
connection.subscribeBatch((batch) => {
  expectTypeOf(batch.length).toBeNumber()
  expectTypeOf(batch.bytes).toEqualTypeOf<Buffer>()
  expectTypeOf(batch.bytes[batch.offset(0)]).toEqualTypeOf<number | undefined>()
  expectTypeOf(batch.size(0)).toBeNumber()
  expectTypeOf(batch.frame(0)).toEqualTypeOf<Buffer>()
  expectTypeOf(batch.copy(0)).toEqualTypeOf<Buffer>()
  for (const frame of batch) expectTypeOf(frame).toEqualTypeOf<Buffer>()
  // @ts-expect-error it is lent, and read only
  batch.length = 0
})
connection.subscribeBatch(async ({ length }) => Promise.resolve(length))
// @ts-expect-error a batch is no frame
connection.subscribeBatch((frame: Buffer) => frame)

// Its end.
expectTypeOf(connection.close()).resolves.toEqualTypeOf<ClosedInfo>()
expectTypeOf(connection.closed).resolves.toEqualTypeOf<ClosedInfo>()
expectTypeOf<ClosedInfo['code']>().toEqualTypeOf<'OK' | TransportErrorCode>()
expectTypeOf<Connection['destroy']>().toEqualTypeOf<(reason?: Error) => void>()
// @ts-expect-error a reason is an Error
connection.destroy('because')

// What is known of it, all read only.
expectTypeOf(connection.info).toEqualTypeOf<ConnectionInfo>()
expectTypeOf<ConnectionInfo['pid']>().toEqualTypeOf<number | undefined>()
expectTypeOf<ConnectionInfo['memory']>().toEqualTypeOf<'shared' | 'socket' | undefined>()
expectTypeOf(connection.capabilities).toEqualTypeOf<Capabilities>()
expectTypeOf(connection.pendingBytes).toBeNumber()
expectTypeOf(connection.unref()).toEqualTypeOf<Connection>()
// @ts-expect-error a count is read only
connection.info.framesSent = 0
// @ts-expect-error so is what is pending
connection.pendingBytes = 0
