export type { Adaptable } from './adaptable.js'
export { toBirpcChannel, type BirpcChannel, type BirpcClosable } from './birpc.js'
export { toComlinkEndpoint, type ComlinkCodec, type ComlinkEndpoint, type ComlinkOptions } from './comlink.js'
export { toDuplex, type DuplexOptions } from './duplex.js'
export {
  createHttpAgent,
  toUndiciConnect,
  type DiallingTransport,
  type HttpAgentOptions,
  type UndiciConnect,
} from './http-client.js'
export {
  serveHttp,
  type HttpListener,
  type HttpService,
  type HttpServiceCloseOptions,
  type ListeningTransport,
} from './http-server.js'
export {
  toJsonRpc,
  type Disposable as JsonRpcDisposable,
  type Event as JsonRpcEvent,
  type JsonRpcMessage,
  type JsonRpcReader,
  type JsonRpcTransport,
  type JsonRpcWriter,
} from './jsonrpc.js'
export { toMcpTransport, type McpMessage, type McpTransport } from './mcp.js'
export { toWebStreams, type WebStreams } from './web-streams.js'
