// SPDX-License-Identifier: GPL-3.0-or-later
in vec2 screen;
out vec4 colour;
uniform mat4 unview;  // clip space -> world direction

void main() {
    vec4 far = unview * vec4(screen, 1.0, 1.0);
    vec3 d = normalize(far.xyz / far.w - eye);
    float veil = flat_clouds(d.xy / max(d.z + 0.15, 0.05) * 2.0);
    colour = vec4(mix(mix(vec3(0.75, 0.82, 0.88), vec3(0.35, 0.55, 0.85), clamp(d.z * 1.6, 0.0, 1.0)), vec3(0.95), smoothstep(0.5, 0.75, veil)), 1.0);
}
