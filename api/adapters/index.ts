export type { Adaptable } from './adaptable.js'
export { toDuplex, type DuplexOptions } from './duplex.js'
export {
  toJsonRpc,
  type Disposable as JsonRpcDisposable,
  type Event as JsonRpcEvent,
  type JsonRpcMessage,
  type JsonRpcReader,
  type JsonRpcTransport,
  type JsonRpcWriter,
} from './jsonrpc.js'
export { toWebStreams, type WebStreams } from './web-streams.js'
