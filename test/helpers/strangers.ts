/**
 * Files and sockets that are nobody's business: opened and closed all the time, so that each number that anybody closes
 * is soon the number of one of them. Whoever writes to a number that is not his, or closes it, is found out.
 */
import fs from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import type { Random } from './random.js'

interface StrangeFile {
  readonly path: string
  readonly fd: number
  readonly inode: number
}

/** What a socket fails with whose number somebody else has closed. */
const NOT_OURS: readonly unknown[] = ['EBADF', 'ENOTSOCK', 'ENOTCONN']

export class Strangers {
  /** What somebody did to them. */
  readonly harm: string[] = []
  readonly #folder: string
  readonly #random: Random
  readonly #files: StrangeFile[] = []
  readonly #sockets = new Set<net.Socket>()
  readonly #server: net.Server
  readonly #path: string
  #added = 0
  readonly #accepted = new Set<net.Socket>()

  static async open(folder: string, files: number, random: Random): Promise<Strangers> {
    const strangers = new Strangers(folder, random)
    await new Promise<void>((resolve) => strangers.#server.listen(strangers.#path, resolve))
    strangers.add(files)
    return strangers
  }

  private constructor(folder: string, random: Random) {
    this.#folder = folder
    this.#random = random
    this.#path = join(this.#folder, 'strangers.sock')
    this.#server = net.createServer((socket) => {
      this.#accepted.add(socket)
      socket.on('close', () => this.#accepted.delete(socket))
      this.#watch(socket)
    })
  }

  /** Opens more files. */
  add(count: number): void {
    for (let i = 0; i < count; i++) this.#openFile(join(this.#folder, `stranger-${String(++this.#added)}`))
  }

  /** Closes those that have been open longest. */
  drop(count: number): void {
    for (const file of this.#files.splice(0, count)) this.#closeFile(file)
  }

  /** Closes some and opens as many, in this turn: numbers change hands. */
  change(count: number): void {
    for (let i = 0; i < count; i++) {
      const [file] = this.#files.splice(this.#random.below(this.#files.length), 1)
      if (file === undefined) return
      this.#closeFile(file)
      this.#openFile(file.path)
    }
    for (const socket of this.#sockets) {
      if (!this.#random.oneIn(4)) continue
      this.#sockets.delete(socket)
      socket.destroy()
    }
    while (this.#sockets.size < 8) {
      const socket = net.connect(this.#path)
      this.#sockets.add(socket)
      this.#watch(socket)
    }
  }

  /** Closes all, and says what was done to them. */
  async close(): Promise<readonly string[]> {
    this.drop(this.#files.length)
    for (const socket of [...this.#sockets, ...this.#accepted]) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
    return this.harm
  }

  #openFile(path: string): void {
    // What is written stays there until somebody looks.
    const fd = fs.openSync(path, 'a')
    this.#files.push({ path, fd, inode: fs.fstatSync(fd).ino })
  }

  #closeFile({ path, fd, inode }: StrangeFile): void {
    try {
      const { size, ino } = fs.fstatSync(fd)
      if (size !== 0) this.harm.push(`${path} has ${String(size)} bytes`)
      if (ino === inode) fs.closeSync(fd)
      else this.harm.push(`${path} was replaced`)
    } catch (error) {
      this.harm.push(`${path}: ${String(error)}`)
    }
  }

  #watch(socket: net.Socket): void {
    socket.on('data', (chunk: Buffer) => this.harm.push(`a socket got ${String(chunk.length)} bytes`))
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // Others are of their own making: one resets its peer when it is destroyed, and the backlog has a limit.
      if (NOT_OURS.includes(error.code)) this.harm.push(`a socket failed: ${String(error)}`)
    })
  }
}
