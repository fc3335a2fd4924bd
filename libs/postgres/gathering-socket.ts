import { Socket } from 'node:net'

/**
 * Hands to the kernel in one write what is written in one turn of the event loop. A write to a socket wakes its reader: statements that are
 * sent one after another without waiting would each wake the server.
 */
export class GatheringSocket extends Socket {
  #gathering = false

  override write(chunk: string | Uint8Array, callback?: (error?: Error | null) => void): boolean
  override write(chunk: string | Uint8Array, encoding?: BufferEncoding, callback?: (error?: Error | null) => void): boolean
  override write(
    chunk: string | Uint8Array,
    encoding?: BufferEncoding | ((error?: Error | null) => void),
    callback?: (error?: Error | null) => void,
  ): boolean {
    if (!this.#gathering) {
      this.#gathering = true
      this.cork()
      process.nextTick(() => {
        this.#gathering = false
        this.uncork()
      })
    }
    return typeof encoding === 'string' ? super.write(chunk, encoding, callback) : super.write(chunk, encoding ?? callback)
  }
}
