/** A print on its mat; without an icon of its own, a browser would ask the server for one. */
export const icon = `data:image/svg+xml,${encodeURIComponent(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="2" fill="#8a4a2f"/><rect x="3.5" y="3.5" width="9" height="6" fill="#fbfaf7"/><rect x="3.5" y="11.5" width="6" height="1" fill="#fbfaf7"/></svg>',
)}`;
