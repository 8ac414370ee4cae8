export type { Adaptable } from './adaptable.js'
export { toBirpcChannel, type BirpcChannel, type BirpcClosable } from './birpc.js'
export { toComlinkEndpoint, type ComlinkCodec, type ComlinkEndpoint, type ComlinkOptions } from './comlink.js'
export { json, type JsonConnection, type JsonOptions } from './json/json.js'
export { toDuplex, type DuplexOptions } from './duplex.js'
export { createHttpAgent, toUndiciConnect, type HttpAgentOptions, type UndiciConnect } from './http-client.js'
export type { DiallingTransport } from './http-dial.js'
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
export {
  requests,
  type AnyMethods,
  type RequestParameters,
  type RequestResult,
  type Requests,
  type RequestsOptions,
} from './requests/requests.js'
export { RemoteError } from './requests/remote-error.js'
export type { RequestContext, RequestHandler } from './requests/served-requests.js'
export { toEmitter, type FrameEmitter, type FrameEvents } from './emitter.js'
export {
  nodeIpcFraming,
  toNodeIpc,
  type NodeIpcConnection,
  type NodeIpcListener,
  type NodeIpcMessage,
  type NodeIpcOptions,
} from './node-ipc.js'
export { toWebStreams, type WebStreams } from './web-streams.js'
