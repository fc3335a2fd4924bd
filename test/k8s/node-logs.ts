import { appendFileSync, mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'

/** The longest piece of a line that containerd writes at once, in bytes: `max_container_log_line_size` unless set. */
const PIECE_BYTES = 16_384

export interface ContainerName {
  readonly namespace: string
  readonly pod: string
  readonly uid: string
  readonly container: string
}

/**
 * What a container writes, as containerd and the kubelet keep it on the node: `<time> <stream> <P or F> <text>`, a long line in pieces of which the last
 * is F. https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md
 */
export class ContainerLog {
  readonly #file: string

  /** `folder` is instead of /var/log/pods. */
  constructor(
    folder: string,
    readonly name: ContainerName,
  ) {
    const own = join(folder, `${name.namespace}_${name.pod}_${name.uid}`, name.container)
    mkdirSync(own, { recursive: true })
    this.#file = join(own, '0.log')
  }

  /** Whole lines, each ended by a newline. */
  write(text: string, stream: 'stdout' | 'stderr' = 'stdout'): void {
    const lines = text.split('\n').slice(0, -1)
    appendFileSync(this.#file, Buffer.concat(lines.flatMap((line) => piecesOf(Buffer.from(line), stream))))
  }

  /** As the kubelet does when a file is large: the next line begins another. */
  rotate(): void {
    const stamp = new Date()
      .toISOString()
      .replaceAll(/[-:]|\.\d+Z/g, '')
      .replace('T', '-')
    renameSync(this.#file, `${this.#file}.${stamp}`)
  }
}

const piecesOf = (line: Buffer, stream: string): readonly Buffer[] =>
  Array.from({ length: Math.max(1, Math.ceil(line.length / PIECE_BYTES)) }, (_, nth) => {
    const to = (nth + 1) * PIECE_BYTES
    const nanoseconds = new Date().toISOString().replace('Z', '123456Z')
    const head = `${nanoseconds} ${stream} ${to < line.length ? 'P' : 'F'} `
    return Buffer.concat([Buffer.from(head), line.subarray(nth * PIECE_BYTES, to), Buffer.from('\n')])
  })
