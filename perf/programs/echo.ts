/** Says every byte of its stdin again, and ends when its stdin does: what `cat` is elsewhere. */
import process from 'node:process'

process.stdin.pipe(process.stdout)
