/** The modules of `area` that speak to its baselines, whose packages are installed apart. Where those are missing: one line that says how, and exit code 1. */
export const baselines = async (area, ...names) => {
  try {
    return await Promise.all(names.map((name) => import(`./${area}/baselines/${name}.mjs`)))
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error
    console.error(`npm ci --prefix test/load/${area}/baselines: once, and then again`)
    process.exit(1)
  }
}
