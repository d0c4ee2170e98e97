// SPDX-License-Identifier: GPL-3.0-or-later
// Noise, light and shadow shared by people and places. World: Z up, metres.
uniform vec3 sun;          // direction towards the sun
uniform vec3 eye;          // camera centre
uniform mat4 shadow_view;  // world -> shadow map clip space
uniform sampler2DShadow shadow_map;
uniform sampler2D noise_map;  // tileable noise of 16 cells a side in R, of 64 in G, of both and finer in B
uniform float seed;

float hash(vec3 p) {
    p = fract(p * 0.3183099 + vec3(0.71, 0.113, 0.419));
    p *= 17.0;
    return fract(p.x * p.y * p.z * (p.x + p.y + p.z));
}

float noise(vec3 x) {
    vec3 i = floor(x), f = fract(x);
    f = f * f * (3.0 - 2.0 * f);
    return mix(mix(mix(hash(i), hash(i + vec3(1, 0, 0)), f.x), mix(hash(i + vec3(0, 1, 0)), hash(i + vec3(1, 1, 0)), f.x), f.y),
               mix(mix(hash(i + vec3(0, 0, 1)), hash(i + vec3(1, 0, 1)), f.x), mix(hash(i + vec3(0, 1, 1)), hash(i + vec3(1, 1, 1)), f.x), f.y), f.z);
}

// Noise of a plane from a filtered picture: far cheaper than the sums above, and free of shimmer.
float flat_noise(vec2 x) { return texture(noise_map, x / 16.0 + seed * 0.137).r; }
float flat_clouds(vec2 x) { return texture(noise_map, x / 16.0 + seed * 0.137).b; }

float clouds(vec3 x) { return 0.55 * noise(x) + 0.3 * noise(2.1 * x + 7.0) + 0.15 * noise(4.3 * x + 13.0); }

float lit(vec3 position, vec3 normal) {
    vec4 at = shadow_view * vec4(position + 0.012 * normal, 1.0);
    vec3 c = at.xyz / at.w * 0.5 + 0.5;
    if (any(lessThan(c, vec3(0.0))) || any(greaterThan(c, vec3(1.0)))) return 1.0;
    float sum = 0.0;
    for (int i = 0; i < 4; i++)  // each look-up already blends four texels
        sum += texture(shadow_map, vec3(c.xy + (vec2(i & 1, i >> 1) - 0.5) / 900.0, c.z - 0.0012));
    return sum / 4.0;
}

// Diffuse sun with soft edge, sky above, bounce from below, a little gloss; returns display values.
vec3 shade(vec3 albedo, vec3 position, vec3 normal, float wrap, float gloss) {
    float facing = (dot(normal, sun) + wrap) / (1.0 + wrap);
    vec3 direct = vec3(1.0, 0.94, 0.85) * 1.35 * max(facing, 0.0) * lit(position, normal);
    vec3 ambient = mix(vec3(0.30, 0.26, 0.23), vec3(0.52, 0.56, 0.62), normal.z * 0.5 + 0.5);
    vec3 toward = normalize(eye - position);
    float shine = gloss * pow(max(dot(normal, normalize(toward + sun)), 0.0), 28.0);
    vec3 light = albedo * (direct + ambient) + shine;
    light = light / (1.0 + 0.25 * light);  // soft shoulder instead of clipping
    return pow(clamp(light, 0.0, 1.0), vec3(1.0 / 2.2));
}
