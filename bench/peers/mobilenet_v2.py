"""MobileNetV2 in PyTorch, eager, as packages/captioner/src/encoders/mobilenet-v2.ts defines it."""

from torch import nn
from torch.nn import functional as F


class Convolution(nn.Module):
    """With bias (batch normalisation is folded in); relu6 unless linear."""

    def __init__(self, kernel, bias, stride=1, depthwise=False, linear=False):
        super().__init__()
        # Kernels are [h,w,in,out], of depthwise convolutions [h,w,in,1]; PyTorch's [out,in,h,w].
        order = (2, 3, 0, 1) if depthwise else (3, 2, 0, 1)
        self.kernel = nn.Parameter(kernel.permute(order).contiguous())
        self.bias = nn.Parameter(bias)
        self.stride, self.linear = stride, linear
        self.padding = kernel.shape[0] // 2
        self.groups = kernel.shape[2] if depthwise else 1

    def forward(self, x):
        x = F.conv2d(x, self.kernel, self.bias, self.stride, self.padding, groups=self.groups)
        return x if self.linear else F.relu6(x)


class InvertedResidual(nn.Module):
    def __init__(self, layer, name, inputs, outputs, expansion, stride):
        super().__init__()
        layers = [layer(f"{name}.expand")] if expansion != 1 else []
        layers.append(layer(f"{name}.depthwise", stride=stride, depthwise=True))
        layers.append(layer(f"{name}.project", linear=True))
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.layers(x) if self.residual else self.layers(x)


def mobilenet_v2(weights, sizes):
    """[B,3,H,W] normalised -> [B,D,H/32,W/32]. weights: tensors by name."""

    def layer(name, **options):
        return Convolution(weights[f"{name}.kernel"], weights[f"{name}.bias"], **options)

    layers = [layer("stem", stride=2)]
    inputs = sizes["stem"]
    for expansion, outputs, repeats, first_stride in sizes["stages"]:
        for repeat in range(repeats):
            name = f"block{len(layers) - 1}"
            stride = first_stride if repeat == 0 else 1
            layers.append(InvertedResidual(layer, name, inputs, outputs, expansion, stride))
            inputs = outputs
    layers.append(layer("head"))
    return nn.Sequential(*layers)
