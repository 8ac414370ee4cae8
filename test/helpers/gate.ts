/** Stands between two peers, and holds what the one that connects says until it is let through. */
import net from 'node:net'

export interface Passage {
  /** What is held. */
  readonly held: readonly Buffer[]
  /** Lets all of it through, and all that follows. */
  open(): void
}

export class Gate {
  readonly passages: Passage[] = []
  readonly #sockets: net.Socket[] = []
  readonly #server: net.Server

  /** `to`: where what comes goes on. */
  constructor(to: string) {
    this.#server = net.createServer((client) => {
      const server = net.connect(to)
      this.#sockets.push(client, server)
      for (const socket of [client, server]) socket.on('error', () => undefined)
      server.pipe(client)
      const held: Buffer[] = []
      const hold = (chunk: Buffer): number => held.push(chunk)
      client.on('data', hold)
      const open = (): void => {
        client.off('data', hold)
        for (const chunk of held.splice(0)) server.write(chunk)
        client.pipe(server)
      }
      this.passages.push({ held, open })
    })
  }

  listen(path: string): Promise<void> {
    return new Promise((resolve) => this.#server.listen(path, resolve))
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
  }
}
