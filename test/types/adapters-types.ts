/** What the compiler accepts and refuses of adapters. It is compiled, and never run. */
import type { Duplex } from 'node:stream'
import type { ReadableStream, WritableStream } from 'node:stream/web'
import { expectTypeOf } from 'expect-type'
import type {
  Connection,
  LeasedConnection,
  ReconnectingConnection,
  TransportError,
  TransportOptions,
} from 'symphony-transport'
import {
  json,
  nodeIpcFraming,
  RemoteError,
  requests,
  toDuplex,
  toEmitter,
  toJsonRpc,
  toNodeIpc,
  toWebStreams,
  type Adaptable,
  type AnyMethods,
  type DuplexOptions,
  type FrameEmitter,
  type FrameEvents,
  type JsonConnection,
  type JsonOptions,
  type JsonRpcDisposable,
  type JsonRpcEvent,
  type JsonRpcMessage,
  type JsonRpcReader,
  type JsonRpcTransport,
  type JsonRpcWriter,
  type NodeIpcConnection,
  type NodeIpcListener,
  type NodeIpcMessage,
  type NodeIpcOptions,
  type RequestContext,
  type RequestHandler,
  type RequestParameters,
  type RequestResult,
  type Requests,
  type RequestsOptions,
  type WebStreams,
} from 'symphony-transport/adapters'
import { createMessageConnection, type MessageReader, type MessageWriter } from 'vscode-jsonrpc'

declare const connection: Connection
declare const jsonRpc: JsonRpcTransport

// Whatever behaves like a connection.
expectTypeOf<Connection>().toExtend<Adaptable>()
expectTypeOf<LeasedConnection>().toExtend<Adaptable>()
expectTypeOf<ReconnectingConnection>().toExtend<Adaptable>()

expectTypeOf(toDuplex(connection)).toEqualTypeOf<Duplex>()
toDuplex(connection, { objectMode: true } satisfies DuplexOptions)
// @ts-expect-error an option of streams that this one does not have
toDuplex(connection, { highWaterMark: 16 })
// @ts-expect-error a stream is no connection
toDuplex(process.stdin)

expectTypeOf(toWebStreams(connection)).toEqualTypeOf<WebStreams>()
expectTypeOf(toWebStreams(connection).readable).toEqualTypeOf<ReadableStream<Uint8Array>>()
expectTypeOf(toWebStreams(connection).writable).toEqualTypeOf<WritableStream<Uint8Array | string>>()

expectTypeOf(toJsonRpc(connection)).toEqualTypeOf<JsonRpcTransport>()
expectTypeOf<JsonRpcTransport>().toExtend<{ readonly reader: JsonRpcReader; readonly writer: JsonRpcWriter }>()
expectTypeOf<JsonRpcReader>().toExtend<MessageReader>()
expectTypeOf<JsonRpcWriter>().toExtend<MessageWriter>()
createMessageConnection(jsonRpc.reader, jsonRpc.writer)
expectTypeOf<JsonRpcReader['onError']>().toEqualTypeOf<JsonRpcEvent<Error>>()
expectTypeOf<JsonRpcReader['listen']>().returns.toEqualTypeOf<JsonRpcDisposable>()
expectTypeOf(jsonRpc.writer.write({ jsonrpc: '2.0' } satisfies JsonRpcMessage)).resolves.toBeVoid()
// @ts-expect-error a message has a version
void jsonRpc.writer.write({ method: 'initialize' })

interface Note {
  readonly name: string
}

// JSON: what is sent and what comes; `validate` says the latter.
expectTypeOf(json(connection)).toEqualTypeOf<JsonConnection>()
expectTypeOf(json<string, Note>(connection).receive({ timeoutMs: 5 })).resolves.toEqualTypeOf<Note | undefined>()
expectTypeOf(json(connection, { validate: Number }).receive()).resolves.toEqualTypeOf<number | undefined>()
json(connection, { maxDepth: 5, onInvalid: (error) => error.code } satisfies JsonOptions)
expectTypeOf<Parameters<NonNullable<JsonOptions['onInvalid']>>>().toEqualTypeOf<[error: TransportError]>()
expectTypeOf(json<string, Note>(connection)).toExtend<AsyncIterable<Note>>()
json<Note>(connection).send({ name: 'shopping' })
// @ts-expect-error not what is sent
json<Note>(connection).send('shopping')
// @ts-expect-error a value is no frame
json(connection, { objectMode: true })

// Requests: any methods, or those that the peer is known to have.
interface NoteMethods {
  get(params: { readonly name: string }): Promise<Note>
  list(): Note[]
  find(params?: readonly string[]): undefined
}
declare const notes: Requests<NoteMethods>
expectTypeOf(requests(connection)).toEqualTypeOf<Requests>()
expectTypeOf<Parameters<AnyMethods[string]>>().toEqualTypeOf<[params?: object]>()
expectTypeOf(requests(connection).call('anything', { a: 1 }, { timeoutMs: 5 })).resolves.toBeUnknown()
expectTypeOf(notes.call('get', { name: 'shopping' })).resolves.toEqualTypeOf<Note>()
expectTypeOf(notes.call('list')).resolves.toEqualTypeOf<Note[]>()
expectTypeOf(notes.call('find', undefined, { timeoutMs: 5 })).resolves.toBeNull()
expectTypeOf(notes.notify('find', ['a'])).toBeBoolean()
expectTypeOf<RequestParameters<NoteMethods['get']>>().toEqualTypeOf<[params: { readonly name: string }]>()
expectTypeOf<RequestResult<NoteMethods['get']>>().toEqualTypeOf<Note>()
// @ts-expect-error the peer has no such method
void notes.call('drop')
// @ts-expect-error parameters are missing
void notes.call('get')
// @ts-expect-error other parameters
notes.notify('get', { title: 'shopping' })
const handler: RequestHandler = ({ name }: Note, { signal }: RequestContext) => (signal.aborted ? undefined : name)
requests(connection, { handlers: { get: handler }, maxPending: 5, timeoutMs: 5, maxDepth: 5 } satisfies RequestsOptions)
// @ts-expect-error a handler is a function
requests(connection, { handlers: { get: 5 } })
expectTypeOf(new RemoteError('no such note', 'ENOTE')).toExtend<Error>()
expectTypeOf<RemoteError['code']>().toEqualTypeOf<string | number>()

// An emitter, whose listeners know what they get.
declare const emitter: FrameEmitter
expectTypeOf(toEmitter(connection)).toEqualTypeOf<FrameEmitter>()
emitter.on('data', (frame) => expectTypeOf(frame).toEqualTypeOf<Buffer>())
emitter.once('error', (error) => expectTypeOf(error).toEqualTypeOf<Error>())
expectTypeOf(emitter.write(['two ', Buffer.from('parts')])).toBeBoolean()
expectTypeOf<FrameEvents['close']>().toEqualTypeOf<[]>()
// @ts-expect-error a number is no frame
emitter.write(5)

// The wire of node-ipc.
const nodeIpcOptions: NodeIpcOptions = { maxDepth: 5 }
const listener: NodeIpcListener = (data) => expectTypeOf(data).toBeUnknown()
expectTypeOf(toNodeIpc(connection, nodeIpcOptions)).toEqualTypeOf<NodeIpcConnection>()
toNodeIpc(connection)
  .on('app.message', listener)
  .emit('app.message', { id: 'hello' } satisfies NodeIpcMessage['data'])
expectTypeOf(nodeIpcFraming).toExtend<TransportOptions>()
// @ts-expect-error a type is a text
toNodeIpc(connection).emit(5)
