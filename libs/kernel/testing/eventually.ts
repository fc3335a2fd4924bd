const STEP_MS = 5

/** Polls until `condition` holds; rejects with `what` after `within_ms`. */
export const eventually = async (what: string, condition: () => boolean | Promise<boolean>, within_ms = 20_000): Promise<void> => {
  for (let waited_ms = 0; waited_ms < within_ms; waited_ms += STEP_MS) {
    if (await condition()) return
    await new Promise((resolve) => setTimeout(resolve, STEP_MS))
  }
  if (await condition()) return
  throw new Error(`not within ${within_ms} ms: ${what}`)
}
