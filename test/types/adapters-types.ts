/** What the compiler accepts and refuses of adapters. It is compiled, and never run. */
import type { Duplex } from 'node:stream'
import type { ReadableStream, WritableStream } from 'node:stream/web'
import { expectTypeOf } from 'expect-type'
import type { Connection, LeasedConnection, ReconnectingConnection } from 'symphony-transport'
import {
  toDuplex,
  toJsonRpc,
  toWebStreams,
  type Adaptable,
  type DuplexOptions,
  type JsonRpcDisposable,
  type JsonRpcEvent,
  type JsonRpcMessage,
  type JsonRpcReader,
  type JsonRpcTransport,
  type JsonRpcWriter,
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
