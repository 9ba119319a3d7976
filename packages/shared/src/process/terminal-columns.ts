/** Of a terminal that does not say how wide it is: one without a window, as of a container. */
const columnsDefault = 80;
/** In a narrower one nothing can be laid out, and lines are for the terminal to break. */
const columnsMin = 20;

/** How wide a stream is, in columns; undefined where it is no terminal. */
export function terminalColumns({
  isTTY,
  columns,
}: Partial<Pick<NodeJS.WriteStream, 'isTTY' | 'columns'>>): number | undefined {
  return isTTY ? Math.max(columnsMin, columns || columnsDefault) : undefined;
}
