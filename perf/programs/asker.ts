/** How a host asks the process behind it, whatever lies between. */

export interface Asker {
  /** Sends a request, and resolves with its answer. */
  ask(request: Buffer): Promise<Buffer>
}

/** Of connections that carry many requests at a time: the answers that are due, oldest first. */
export class Due {
  readonly #waiting: { readonly resolve: (answer: Buffer) => void; readonly reject: (error: Error) => void }[] = []

  /** `send`: the request leaves. */
  next(send: () => void): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      send()
    })
  }

  answer(frame: Buffer): void {
    this.#waiting.shift()?.resolve(frame)
  }

  fail(): void {
    for (const { reject } of this.#waiting.splice(0)) reject(new Error('the process behind the host is gone'))
  }
}

/** One after the other, over and over. */
export function inTurn<Item>(items: readonly Item[]): () => Item {
  let next = 0
  return () => {
    const item = items[next++ % items.length]
    if (item === undefined) throw new Error('there is no connection')
    return item
  }
}
