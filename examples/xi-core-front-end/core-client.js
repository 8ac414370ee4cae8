// The front-end's side of xi-core's protocol: JSON-RPC, one message a line, requests and notifications both ways.

/** `onNotification(method, params)` is called with what the core says by itself. */
export function createCoreClient(connection, onNotification) {
  const pending = new Map()
  let lastId = 0

  const send = (message) => connection.send(JSON.stringify(message))

  connection.subscribe((frame) => {
    const { id, method, params, result, error } = JSON.parse(frame)
    if (method !== undefined) return onNotification(method, params)
    const { resolve, reject } = pending.get(id) ?? {}
    pending.delete(id)
    if (error === undefined) resolve?.(result)
    else reject?.(new Error(error.message))
  })

  // Nobody answers any more.
  connection.closed.then(({ code }) => {
    for (const { reject } of pending.values()) reject(new Error(`the core has ended: ${code}`))
    pending.clear()
  })

  return {
    notify: (method, params = {}) => send({ method, params }),
    request: (method, params = {}) =>
      new Promise((resolve, reject) => {
        pending.set(++lastId, { resolve, reject })
        send({ id: lastId, method, params })
      }),
  }
}
