/**
 * Whether anything listens on a socket file, asked without making a connection that the listener would have to handle.
 *
 * The asking socket is connected already, to a socket of its own process. Linux looks for the listener first: where
 * nothing listens the attempt is refused, as ever, and where something does it fails next, because the asking socket
 * has a connection. It never gets into the listener's queue. A system that looks the other way round says EISCONN of
 * everything, as a name that does not exist shows; there the only way is to connect. See
 * docs/decisions/socket-files.md.
 */
import net from 'node:net'
import { join } from 'node:path'

/** Names in the asker's private folder: its socket, and what never exists. One byte long, as is the bound socket's. */
export const ASKER = 'p'
const NOTHING = 'n'

/** `code` of a refusal; undefined: something listens. */
export type Answer = NodeJS.ErrnoException | undefined

/** `privateFolder` is the asker's, as a socket address begins with it. Rejects where there is nothing to ask with. */
export async function probeListener(address: string, privateFolder: string): Promise<Answer> {
  const answer = await ask(address, privateFolder)
  if (answer?.code !== 'EISCONN') return answer
  const ofNothing = await ask(join(privateFolder, NOTHING), privateFolder)
  return ofNothing?.code === 'ENOENT' ? undefined : answerOf(net.connect(address))
}

/** Asks with a socket that is connected to one of this process. */
function ask(address: string, privateFolder: string): Promise<Answer> {
  const path = join(privateFolder, ASKER)
  return new Promise((resolve, reject) => {
    let peer: net.Socket | undefined
    let isOver = false
    const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => {
      peer = socket
      if (isOver) socket.destroy()
    })
    const end = (): void => {
      isOver = true
      peer?.destroy()
      server.close()
    }
    const fail = (error: Error): void => {
      end()
      reject(error)
    }
    server.once('error', fail)
    // Exclusive: in a worker of the cluster module the primary would bind it, which has not our descriptors.
    server.listen({ path, exclusive: true }, () => {
      const socket = net.connect({ path, allowHalfOpen: true })
      socket.once('error', fail)
      socket.once('connect', () => {
        socket.off('error', fail)
        void answerOf(socket.connect(address)).then((answer) => {
          end()
          resolve(answer)
        })
      })
    })
  })
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
