/**
 * Whether somebody listens on a socket file, asked without a connection that whoever listens would have to deal with.
 *
 * It is asked by a socket that is connected already. Linux looks for the listener first: a socket that nobody listens
 * on refuses, as ever, and one that somebody listens on is told from it by the next thing looked at, which is that the
 * asking socket has a connection. It never comes into the listener's queue. A system that looks the other way round
 * says the same of everything, as a name that does not exist shows; there the only way to ask is to connect. See
 * docs/decisions/socket-files.md.
 */
import net from 'node:net'
import { join } from 'node:path'

/**
 * Names in the asker's own folder: its socket, and what is never there. Of one byte, as is that of the socket to be
 * bound.
 */
export const ASKER = 'p'
const NOBODY = 'n'

/** `code` of a refusal; undefined: somebody listens. */
export type Answer = NodeJS.ErrnoException | undefined

/**
 * `own` is a folder of the asker's own, with a name that is a socket address. Rejects where there is nothing to ask
 * with.
 */
export async function probeListener(address: string, own: string): Promise<Answer> {
  const answer = await ask(address, own)
  if (answer?.code !== 'EISCONN') return answer
  const ofNobody = await ask(join(own, NOBODY), own)
  return ofNobody?.code === 'ENOENT' ? undefined : connect(address)
}

/** Asks with a socket that is connected to one of our own. */
function ask(address: string, own: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => {
      peer = socket
      if (over) socket.destroy()
    })
    let peer: net.Socket | undefined
    let over = false
    const end = (settle: () => void): void => {
      over = true
      peer?.destroy()
      server.close()
      settle()
    }
    const fail = (error: Error): void => {
      end(() => {
        reject(error)
      })
    }
    server.once('error', fail)
    // Exclusive: in a worker of the cluster module the primary would bind it otherwise, which does not know our
    // descriptors.
    server.listen({ path: join(own, ASKER), exclusive: true }, () => {
      const socket = net.connect({ path: join(own, ASKER), allowHalfOpen: true })
      socket.once('error', fail)
      socket.once('connect', () => {
        socket.off('error', fail)
        void answerOf(socket.connect(address)).then((answer) => {
          end(() => {
            resolve(answer)
          })
        })
      })
    })
  })
}

function connect(address: string): Promise<Answer> {
  return answerOf(net.connect(address))
}

function answerOf(socket: net.Socket): Promise<Answer> {
  return new Promise((resolve) => {
    socket.once('connect', () => {
      socket.destroy()
      resolve(undefined)
    })
    socket.once('error', resolve)
  })
}
