/** A body as text, read no further than `most` bytes, whatever is sent: it rejects with `RangeError` there. */
export const boundedText = async (body: AsyncIterable<Uint8Array> | null, most: number): Promise<string> => {
  const chunks: Uint8Array[] = []
  let bytes = 0
  // Leaving the loop by a throw cancels the stream, and with it the connection.
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength
    if (bytes > most) throw new RangeError('the answer is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
