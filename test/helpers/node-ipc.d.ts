/** The part of node-ipc that is used; it comes without types. */
declare module 'node-ipc' {
  interface Client {
    on(type: string, listener: (data: unknown) => void): void
    emit(type: string, data?: unknown): void
  }

  interface Server {
    on(type: string, listener: (data: unknown, socket: unknown) => void): void
    emit(socket: unknown, type: string, data?: unknown): void
    broadcast(type: string, data?: unknown): void
    start(): void
    stop(): void
  }

  export interface NodeIpc {
    readonly config: { id: string; silent: boolean; stopRetrying: boolean }
    readonly of: Readonly<Record<string, Client | undefined>>
    readonly server: Server
    serve(path: string, started: () => void): void
    connectTo(id: string, path: string, made: () => void): void
  }

  export const IPCModule: new () => NodeIpc
}
