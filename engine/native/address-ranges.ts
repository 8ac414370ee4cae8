/**
 * Where files are mapped. A range of addresses that JavaScript has seen is never unmapped: a view that somebody kept
 * would crash the process. Something else is mapped over it instead, and the range is used again.
 */
import { systemErrorOf } from '../protocol/system-errno.js'
import type { Mapping, OnRange } from './native-memory.js'
import type { Part, PartMemory } from './part-memory.js'
import type { Platform } from './platform.js'
import type { Address, LinuxCalls, MacosCalls, SystemCalls } from './system-calls.js'

const FAILED = -1n
/**
 * What new ranges leave free of a limited address space, in bytes: V8 ends the process if it finds none when it needs
 * some for its heap or its compilers.
 */
const ROOM = 64 * 1024 * 1024
/** Larger views are dropped with the mapping: V8 counts them all, whether anything is behind them or not. */
const LARGEST_KEPT_VIEW = 64 * 1024

interface MappingCalls extends Pick<SystemCalls, 'mmap' | 'view' | 'errno'> {
  readonly own: Pick<LinuxCalls, 'system' | 'munmap'> | Pick<MacosCalls, 'system'>
}

type MappingNumbers = Omit<Platform, 'system' | 'errnoLocation'>

interface Range {
  readonly address: Address
  readonly length: number
  /** By offset and length. */
  readonly views: Map<string, ArrayBuffer>
}

export class AddressRanges {
  readonly #calls: MappingCalls
  readonly #platform: MappingNumbers
  readonly #parts: PartMemory
  /** By length. Memory that nobody else has is mapped over each. */
  readonly #free = new Map<number, Range[]>()
  #onNew: OnRange | undefined

  constructor(calls: MappingCalls, platform: MappingNumbers, parts: PartMemory) {
    this.#calls = calls
    this.#platform = platform
    this.#parts = parts
  }

  /** @throws The system's error. */
  map(fd: number, length: number): Mapping {
    return new MappedFile(this.#take(fd, length), fd, this, this.#parts)
  }

  /** Tells of each range that is taken from now on. */
  watch(onNew: OnRange): void {
    this.#onNew = onNew
  }

  #take(fd: number, length: number): Range {
    const { PROT_READ, PROT_WRITE, MAP_SHARED, MAP_FIXED } = this.#platform
    const free = this.#free.get(length)?.pop()
    const flags = free === undefined ? MAP_SHARED : MAP_SHARED | MAP_FIXED
    const address = this.#calls.mmap(free?.address ?? 0n, length, PROT_READ | PROT_WRITE, flags, fd)
    if (address !== FAILED) return free ?? this.#newRange(address, length)
    const error = systemErrorOf(-this.#calls.errno(), 'mmap')
    // The system may have taken away what was there before it failed.
    if (free !== undefined) this.cover(free)
    throw error
  }

  #newRange(address: Address, length: number): Range {
    this.#leaveRoom(address, length)
    this.#onNew?.(address, length)
    return { address, length, views: new Map() }
  }

  /** Without addresses for V8 beside it, this new range is given up. @throws The system's error. */
  #leaveRoom(address: Address, length: number): void {
    const { own } = this.#calls
    // Only there can a process be limited in addresses.
    if (own.system !== 'linux') return
    const { PROT_READ, PROT_WRITE, MAP_PRIVATE, MAP_ANONYMOUS, MAP_NORESERVE } = this.#platform
    const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    const room = this.#calls.mmap(0n, ROOM, PROT_READ | PROT_WRITE, flags, -1)
    if (room !== FAILED) {
      own.munmap(room, ROOM)
      return
    }
    const error = systemErrorOf(-this.#calls.errno(), 'mmap')
    own.munmap(address, length)
    throw error
  }

  view({ address, views }: Range, offset: number, length: number): ArrayBuffer {
    const key = `${String(offset)}+${String(length)}`
    const known = views.get(key)
    if (known !== undefined) return known
    const view = this.#calls.view(address + BigInt(offset), length)
    views.set(key, view)
    return view
  }

  lend({ address }: Range, offset: number, length: number): ArrayBuffer {
    return this.#calls.view(address + BigInt(offset), length)
  }

  /** Maps memory that nobody else has over it. Where even that fails, the range is never used again. */
  cover(range: Range): void {
    const { PROT_READ, PROT_WRITE, MAP_PRIVATE, MAP_FIXED, MAP_ANONYMOUS, MAP_NORESERVE } = this.#platform
    const { address, length, views } = range
    const flags = MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE
    if (this.#calls.mmap(address, length, PROT_READ | PROT_WRITE, flags, -1) === FAILED) return
    for (const [key, view] of views) if (view.byteLength > LARGEST_KEPT_VIEW) views.delete(key)
    const free = this.#free.get(length)
    if (free === undefined) this.#free.set(length, [range])
    else free.push(range)
  }
}

class MappedFile implements Mapping {
  readonly length: number
  readonly #fd: number
  readonly #ranges: AddressRanges
  readonly #parts: PartMemory
  /** Undefined once it is released: what is mapped there later is not this mapping's. */
  #range: Range | undefined

  constructor(range: Range, fd: number, ranges: AddressRanges, parts: PartMemory) {
    this.length = range.length
    this.#range = range
    this.#fd = fd
    this.#ranges = ranges
    this.#parts = parts
  }

  get needsDescriptor(): boolean {
    return this.#parts.needsDescriptor
  }

  view(offset: number, length: number): ArrayBuffer {
    const range = this.#mapped()
    this.#check(offset, length)
    return this.#ranges.view(range, offset, length)
  }

  lend(offset: number, length: number): ArrayBuffer {
    const range = this.#mapped()
    this.#check(offset, length)
    return this.#ranges.lend(range, offset, length)
  }

  reserve(offset: number, length: number): void {
    const range = this.#mapped()
    this.#check(offset, length)
    this.#parts.reserve(this.#part(range, offset, length))
  }

  discard(offset: number, length: number): void {
    this.#check(offset, length)
    if (this.#range !== undefined) this.#parts.discard(this.#part(this.#range, offset, length))
  }

  release(): void {
    const range = this.#range
    // Set first: a range that were released twice would be used twice.
    this.#range = undefined
    if (range !== undefined) this.#ranges.cover(range)
  }

  #mapped(): Range {
    if (this.#range === undefined) throw new Error('the mapping is released')
    return this.#range
  }

  #check(offset: number, length: number): void {
    const areWhole = Number.isSafeInteger(offset) && Number.isSafeInteger(length)
    if (areWhole && offset >= 0 && length >= 1 && offset + length <= this.length) return
    throw new RangeError(`${String(length)} bytes at ${String(offset)} of a mapping of ${String(this.length)} bytes`)
  }

  #part({ address }: Range, offset: number, length: number): Part {
    return { address: address + BigInt(offset), fd: this.#fd, offset, length }
  }
}
