// What this page uses of swagger-ui-dist, which has no types of its own.
declare module "swagger-ui-dist/swagger-ui-es-bundle.js" {
  interface Options {
    url: string;
    domNode: HTMLElement | null;
    deepLinking: boolean;
    defaultModelsExpandDepth: number;
    defaultModelExpandDepth: number;
    displayRequestDuration: boolean;
    validatorUrl: null;
  }
  export default function SwaggerUI(options: Options): void;
}
